/* Text scripts: each line a command, its answer below it. Keys of the resource "events" begin with
 * "~". put KEY VALUE [node=N] [exp=REV] [renew] [ttl=S]; del KEY [exp=REV] [last=VALUE];
 * list [@REV] [in=PREFIX] [node=N] [after=KEY]; get KEY; watch NAME REV [in=] [name=] [node=];
 * take NAME; compact REV; reopen. */
#include "store/store_fixture.h"

#include "base/random.h"

struct script {
    struct fixture f;
    struct buf out;
    struct store_watch *watches[26];
};

struct args {
    struct str word[3];
    size_t n;
    struct str node, exp, last, in, name, after, ttl;
    bool renew;
};

static void parse(struct str line, struct args *a)
{
    struct str w, k, v;

    *a = (struct args){ 0 };
    while (str_next(&line, ' ', &w)) {
        if (!str_cut(w, '=', &k, &v)) {
            if (str_eq(w, STR("renew")))
                a->renew = true;
            else if (w.len && a->n < 3)
                a->word[a->n++] = w;
            continue;
        }
        if (str_eq(k, STR("node")))
            a->node = v;
        else if (str_eq(k, STR("exp")))
            a->exp = v;
        else if (str_eq(k, STR("last")))
            a->last = v;
        else if (str_eq(k, STR("in")))
            a->in = v;
        else if (str_eq(k, STR("name")))
            a->name = v;
        else if (str_eq(k, STR("after")))
            a->after = v;
        else if (str_eq(k, STR("ttl")))
            a->ttl = v;
        else
            cr_assert_fail("unknown word '%.*s'", STR_ARG(w));
    }
}

static uint64_t number(struct str s)
{
    uint64_t v = 0;

    cr_assert(str_to_u64(s, &v), "'%.*s' is no number", STR_ARG(s));
    return v;
}

static uint16_t resource_of(struct script *s, struct str *key)
{
    if (key->len && key->p[0] == '~') {
        *key = str_tail(*key, 1);
        return s->f.events;
    }
    return s->f.pods;
}

static void say(struct script *s, int r, const char *fmt, uint64_t v)
{
    if (r < 0)
        buf_printf(&s->out, "%s\n", err_name(r));
    else
        buf_printf(&s->out, "%s%llu\n", fmt, (unsigned long long)v);
}

static void do_write(struct script *s, struct args *a, enum store_op op)
{
    struct store_pair field = { .key = STR("node"), .value = a->node };
    struct store_mutation m = { .op = op, .key = a->word[1], .expected = STORE_EXPECT_ANY };
    uint64_t revision = 0;
    int r;

    m.resource = resource_of(s, &m.key);
    m.head = op == STORE_PUT ? a->word[2] : a->last;
    m.fields = &field;
    m.n_fields = a->node.p != NULL;
    m.soft_if_same = a->renew;
    if (a->exp.p)
        m.expected = number(a->exp);
    if (a->ttl.p)
        m.expires_s = clock_wall_s(&clock_system) + (int64_t)number(a->ttl);
    r = fixture_apply(&s->f, &m, 1, &revision);
    say(s, r, "@", revision);
}

static void do_list(struct script *s, struct args *a)
{
    struct store_range range = { .prefix = a->in, .after = a->after };
    struct store_snapshot snap;
    struct store_cursor *c;
    struct store_object o;
    struct arena arena;
    struct err err = { 0 };
    uint64_t left;
    int r;

    if (a->n > 1 && a->word[1].p[0] == '@')
        range.revision = number(str_tail(a->word[1], 1));
    range.resource = resource_of(s, &range.prefix);
    if (a->node.p) {
        range.index_field = STR("node");
        range.index_value = a->node;
    }
    arena_init(&arena, 0);
    cr_assert_eq(store_snapshot_begin(s->f.store, &snap, &err), 0);
    r = store_range_begin(&snap, &arena, &range, &c, &err);
    if (r == 0) {
        cr_assert_eq(store_range_count(c, &left, &err), 0);
        buf_printf(&s->out, "%llu:", (unsigned long long)left);
        while ((r = store_range_next(c, &o, &err)) == 1)
            buf_printf(&s->out, " %.*s=%.*s%.*s@%llu", STR_ARG(o.key), STR_ARG(o.head),
                       STR_ARG(o.tail), (unsigned long long)o.mod_revision);
    }
    buf_printf(&s->out, "%s\n", r < 0 ? err_name(r) : "");
    store_snapshot_end(&snap);
    arena_done(&arena);
}

static void do_get(struct script *s, struct args *a)
{
    struct store_snapshot snap;
    struct store_object o;
    struct err err = { 0 };
    uint16_t resource = resource_of(s, &a->word[1]);
    int r;

    cr_assert_eq(store_snapshot_begin(s->f.store, &snap, &err), 0);
    r = store_get(&snap, resource, a->word[1], &o, &err);
    if (r < 0)
        buf_printf(&s->out, "%s\n", err_name(r));
    else
        buf_printf(&s->out, "%.*s%.*s mod %llu create %llu version %llu\n", STR_ARG(o.head),
                   STR_ARG(o.tail), (unsigned long long)o.mod_revision,
                   (unsigned long long)o.create_revision, (unsigned long long)o.version);
    store_snapshot_end(&snap);
}

static void ready(struct store_watch *w, void *arg)
{
    (void)w;
    (void)arg;
}

static void do_watch(struct script *s, struct args *a)
{
    struct store_watch_options o = { .prefix = a->in,
                                     .name = a->name,
                                     .after = number(a->word[2]) };
    struct err err = { 0 };
    int r;

    o.resource = resource_of(s, &o.prefix);
    if (a->node.p) {
        o.index_field = STR("node");
        o.index_value = a->node;
    }
    r = store_watch_start(s->f.store, &o, s->f.mailbox, ready, NULL,
                          &s->watches[a->word[1].p[0] - 'a'], &err);
    buf_printf(&s->out, "%s\n", r < 0 ? err_name(r) : "ok");
}

static void print_event(struct buf *out, const struct store_event *e)
{
    static const char marks[] = { '+', '~', '-' };

    buf_printf(out, " %c%.*s=%.*s%.*s@%llu", marks[e->type], STR_ARG(e->object.key),
               STR_ARG(e->object.head), STR_ARG(e->object.tail),
               (unsigned long long)e->object.mod_revision);
    if (e->has_previous)
        buf_printf(out, "(%.*s@%llu)", STR_ARG(e->previous.head),
                   (unsigned long long)e->previous.mod_revision);
}

static void do_take(struct script *s, struct args *a)
{
    struct store_watch *w = s->watches[a->word[1].p[0] - 'a'];

    while (store_watch_status(w) == 0 && store_watch_progress(w) < store_revision(s->f.store)) {
        const struct store_event *e = store_watch_next(w);

        if (!e) {
            fixture_turn(&s->f);
            continue;
        }
        print_event(&s->out, e);
        store_event_unref(e);
    }
    if (store_watch_status(w) < 0)
        buf_printf(&s->out, " %s", err_name(store_watch_status(w)));
    buf_append_char(&s->out, '\n');
}

static void do_compact(struct script *s, struct args *a)
{
    struct err err = { 0 };
    uint64_t to = number(a->word[1]);
    int r = store_compact(s->f.store, to, &err);

    for (int i = 0; r == 0 && i < 20000 && store_compacted(s->f.store) < to; i++)
        fixture_turn(&s->f);
    (void)nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL); /* the slice itself */
    buf_printf(&s->out, "%s\n", r < 0 ? err_name(r) : "ok");
}

static void run_line(struct script *s, struct str line)
{
    struct args a;

    buf_printf(&s->out, "> %.*s\n", STR_ARG(line));
    parse(line, &a);
    if (str_eq(a.word[0], STR("put"))) {
        do_write(s, &a, STORE_PUT);
    } else if (str_eq(a.word[0], STR("del"))) {
        do_write(s, &a, STORE_DELETE);
    } else if (str_eq(a.word[0], STR("list"))) {
        do_list(s, &a);
    } else if (str_eq(a.word[0], STR("get"))) {
        do_get(s, &a);
    } else if (str_eq(a.word[0], STR("watch"))) {
        do_watch(s, &a);
    } else if (str_eq(a.word[0], STR("take"))) {
        do_take(s, &a);
    } else if (str_eq(a.word[0], STR("compact"))) {
        do_compact(s, &a);
    } else if (str_eq(a.word[0], STR("reopen"))) {
        store_close(s->f.store);
        fixture_open(&s->f);
    } else {
        cr_assert_fail("unknown command '%.*s'", STR_ARG(line));
    }
}

static void run_script(const char *script)
{
    struct script s = { 0 };
    struct str rest = str_from_cstr(script), line;

    fixture_start(&s.f);
    while (str_next(&rest, '\n', &line))
        if (str_has_prefix(line, STR("> ")))
            run_line(&s, str_tail(line, 2));
    cr_assert_str_eq(buf_cstr(&s.out), script);
    for (size_t i = 0; i < ARRAY_LEN(s.watches); i++)
        store_watch_stop(s.watches[i]);
    buf_done(&s.out);
    fixture_end(&s.f);
}

Test(store, puts_gets_and_expectations)
{
    run_script("> put a/x 1\n@1\n"
               "> put a/x 2\n@2\n"
               "> put a/x 3 exp=1\nconflict\n"
               "> put a/x 3 exp=2\n@3\n"
               "> put a/x 4 exp=0\nalready exists\n"
               "> put a/y 4 exp=7\nnot found\n"
               "> get a/x\n3 mod 3 create 1 version 3\n"
               "> del a/y\nnot found\n"
               "> del a/x exp=2\nconflict\n"
               "> del a/x exp=3\n@4\n"
               "> get a/x\nnot found\n"
               "> put a/x 5 exp=0\n@5\n"
               "> get a/x\n5 mod 5 create 5 version 1\n"
               "> reopen\n"
               "> get a/x\n5 mod 5 create 5 version 1\n"
               "> put a/z 6\n@6\n");
}

Test(store, lists_past_revisions)
{
    run_script("> put a/x 1\n@1\n"
               "> put a/y 2\n@2\n"
               "> put b/z 3\n@3\n"
               "> put a/x 4\n@4\n"
               "> del a/y\n@5\n"
               "> put c/w 6\n@6\n"
               "> put a/y 7\n@7\n"
               "> list\n4: a/x=4@4 a/y=7@7 b/z=3@3 c/w=6@6\n"
               "> list @1\n1: a/x=1@1\n"
               "> list @3\n3: a/x=1@1 a/y=2@2 b/z=3@3\n"
               "> list @4 in=a/\n2: a/x=4@4 a/y=2@2\n"
               "> list @5\n2: a/x=4@4 b/z=3@3\n"
               "> list @6 after=a/x\n2: b/z=3@3 c/w=6@6\n"
               "> list @8\nrevision is in the future\n"
               "> compact 5\nok\n"
               "> list @4\nrevision has been compacted\n"
               "> list @5\n2: a/x=4@4 b/z=3@3\n"
               "> list @6\n3: a/x=4@4 b/z=3@3 c/w=6@6\n"
               "> reopen\n"
               "> list @4\nrevision has been compacted\n"
               "> list @6\n3: a/x=4@4 b/z=3@3 c/w=6@6\n");
}

Test(store, walks_an_index_at_any_revision)
{
    run_script("> put a/x 1 node=n1\n@1\n"
               "> put a/y 2 node=n1\n@2\n"
               "> put b/z 3\n@3\n"
               "> put b/z 4 node=n1\n@4\n"
               "> put a/x 5 node=n2\n@5\n"
               "> del a/y\n@6\n"
               "> list node=n1\n1: b/z=4@4\n"
               "> list node=n2\n1: a/x=5@5\n"
               "> list @2 node=n1\n2: a/x=1@1 a/y=2@2\n"
               "> list @4 node=n1\n3: a/x=1@1 a/y=2@2 b/z=4@4\n"
               "> list @4 node=n1 in=a/\n2: a/x=1@1 a/y=2@2\n"
               "> list @4 node=n1 after=a/x\n2: a/y=2@2 b/z=4@4\n"
               "> compact 6\nok\n"
               "> list node=n1\n1: b/z=4@4\n"
               "> put a/x 7 node=n1\n@7\n"
               "> list node=n1\n2: a/x=7@7 b/z=4@4\n"
               "> list @6 node=n1\n1: b/z=4@4\n");
}

Test(store, watches_past_and_live)
{
    run_script("> put a/x 1 node=n1\n@1\n"
               "> watch a 0\nok\n"
               "> watch b 0 in=a/\nok\n"
               "> watch c 1 name=z\nok\n"
               "> watch d 0 node=n1\nok\n"
               "> put b/z 2\n@2\n"
               "> put a/x 3 node=n2\n@3\n"
               "> del a/x last=bye\n@4\n"
               "> del b/z\n@5\n"
               "> take a\n +a/x=1@1 +b/z=2@2 ~a/x=3@3(1@1) -a/x=bye@4(3@3) -b/z=2@5(2@2)\n"
               "> take b\n +a/x=1@1 ~a/x=3@3(1@1) -a/x=bye@4(3@3)\n"
               "> take c\n +b/z=2@2 -b/z=2@5(2@2)\n"
               "> take d\n +a/x=1@1 ~a/x=3@3(1@1)\n"
               "> watch e 0\nok\n"
               "> take e\n +a/x=1@1 +b/z=2@2 ~a/x=3@3(1@1) -a/x=bye@4(3@3) -b/z=2@5(2@2)\n"
               "> watch f 3\nok\n"
               "> take f\n -a/x=bye@4(3@3) -b/z=2@5(2@2)\n"
               "> compact 4\nok\n"
               "> watch g 3\nrevision has been compacted\n"
               "> watch g 4\nok\n"
               "> take g\n -b/z=2@5(2@2)\n"
               "> watch h 6\nrevision is in the future\n");
}

Test(store, merges_soft_renewals)
{
    run_script("> put a/l 1\n@1\n"
               "> watch a 0\nok\n"
               "> put a/l 2 renew\n@2\n"
               "> put ~a/e 3\n@3\n"
               "> put a/l 4 renew exp=2\n@4\n"
               "> get a/l\n4 mod 4 create 1 version 3\n"
               "> list @1\n1: a/l=1@1\n"
               "> list @3\n1: a/l=2@2\n"
               "> list\n1: a/l=4@4\n"
               "> list in=~\n1: a/e=3@3\n"
               "> put a/l 5 exp=4\n@5\n"
               "> list @4\n1: a/l=4@4\n"
               "> put a/l 6 renew\n@6\n"
               "> put a/l 7 renew node=n1\n@7\n"
               "> list @5\n1: a/l=5@5\n"
               "> list @6\n1: a/l=6@6\n"
               "> put a/l 8 renew node=n1\n@8\n"
               "> del a/l\n@9\n"
               "> get a/l\nnot found\n"
               "> list @8\n1: a/l=8@8\n"
               "> put a/l 10\n@10\n"
               "> list\n1: a/l=10@10\n"
               "> take a\n +a/l=1@1 ~a/l=2@2(1@1) ~a/l=4@4(2@2) ~a/l=5@5(4@4) ~a/l=6@6(5@5) "
               "~a/l=7@7(6@6) ~a/l=8@8(7@7) -a/l=8@9(8@8) +a/l=10@10\n"
               "> watch b 2\nok\n"
               "> take b\n ~a/l=4@4(2@2) ~a/l=5@5(4@4) ~a/l=6@6(5@5) ~a/l=7@7(6@6) ~a/l=8@8(7@7) "
               "-a/l=8@9(8@8) +a/l=10@10\n"
               "> compact 10\nok\n"
               "> list\n1: a/l=10@10\n"
               "> put a/l 11 renew\n@11\n"
               "> compact 11\nok\n"
               "> get a/l\n11 mod 11 create 10 version 2\n");
}

/* --- transactions of one turn --- */

enum { OUTBOX_TXNS = 40 };

struct outbox_run {
    struct store_txn txns[OUTBOX_TXNS];
    struct store_mutation mutations[OUTBOX_TXNS];
    char keys[OUTBOX_TXNS][16];
    int last[2], done; /* of each mailbox: the last that was answered */
};

static void on_outbox_done(struct store_txn *t, void *arg)
{
    struct outbox_run *r = arg;
    int i = (int)(t - r->txns);

    cr_expect_eq(t->result, 0);
    cr_expect_gt(i, r->last[i % 2]);
    cr_expect_eq(t->revision, (uint64_t)i + 1);
    r->last[i % 2] = i;
    r->done++;
}

static uint64_t commits_of(struct store *s)
{
    struct store_stats st;

    store_get_stats(s, &st);
    return st.commits;
}

Test(store, what_one_turn_submits_is_one_commit_and_is_answered_in_order)
{
    struct fixture f = { 0 };
    struct outbox_run r = { .last = { -1, -1 } };
    struct store_outbox outbox;
    struct mailbox *other;
    bool answered = false;
    uint64_t before;

    fixture_start(&f);
    other = mailbox_new(f.loop);
    store_outbox_init(&outbox, f.store, f.loop);
    before = commits_of(f.store);
    for (int i = 0; i < OUTBOX_TXNS; i++) {
        (void)snprintf(r.keys[i], sizeof(r.keys[i]), "a/%d", i);
        r.mutations[i] = (struct store_mutation){
            .op = STORE_PUT, .resource = f.pods, .key = str_from_cstr(r.keys[i]), .head = STR("x")
        };
        r.txns[i] = (struct store_txn){ .mutations = &r.mutations[i],
                                        .n = 1,
                                        .mailbox = i % 2 ? other : f.mailbox,
                                        .done = on_outbox_done,
                                        .arg = &r };
        store_outbox_submit(&outbox, &r.txns[i]);
    }
    while (r.done < OUTBOX_TXNS)
        fixture_turn(&f);
    cr_expect_eq(commits_of(f.store), before + 1);
    r.mutations[0].expected = STORE_EXPECT_ANY;
    r.txns[0].done = fixture_done;
    r.txns[0].arg = &answered;
    store_outbox_submit(&outbox, &r.txns[0]);
    store_outbox_flush(&outbox); /* as at the end, when no turn follows */
    store_outbox_flush(&outbox);
    store_close(TAKE(f.store));
    mailbox_free(other);
    loop_turn(f.loop);
    cr_expect(answered);
    fixture_end(&f);
}

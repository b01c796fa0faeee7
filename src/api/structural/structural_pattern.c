/* Patterns: expressions in RE2's syntax, which PCRE2 reads but for corners. What RE2 has not
 * (looking around, referring back) is refused. A match is tried by backtracking within limits, then
 * by walking all ways at once, within limits too; what takes longer than both does not match. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "api/structural/structural_internal.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

enum {
    PATTERN_MAX_BYTES = 16384,
    MATCH_STEPS = 100000,
    MATCH_DEPTH = 1000,
    HEAP_KIB = 1024,
    /* All ways at once: some hundred states a byte, from each place of the text unless the pattern
     * holds on to its start. */
    DFA_TEXT_MAX = 256,
    DFA_ANCHORED_TEXT_MAX = 4096,
    DFA_COST = 500000,
    WORKSPACE = 4096,
};

/* What PCRE2 knows and RE2 does not; *ret_at is where it stands. NULL: nothing. */
static const char *unsupported(struct str p, size_t *ret_at)
{
    bool in_class = false;

    for (size_t i = 0; i < p.len; i++) {
        char next = i + 1 < p.len ? p.p[i + 1] : '\0';
        struct str rest = str_tail(p, i);

        *ret_at = i;
        if (p.p[i] == '\\') {
            if (!in_class && (next >= '1' && next <= '9'))
                return "invalid escape sequence";
            if (next && memchr("kgKRXGhHNZ", next, 10))
                return "invalid escape sequence";
            i++;
        } else if (in_class) {
            in_class = p.p[i] != ']';
        } else if (p.p[i] == '[') {
            in_class = true;
            i += next == '^';
            i += i + 1 < p.len && p.p[i + 1] == ']'; /* a ']' that comes first is one of them */
        } else if (str_has_prefix(rest, STR("(*"))) {
            return "missing argument to repetition operator";
        } else if (str_has_prefix(rest, STR("(?")) && !str_has_prefix(rest, STR("(?P<")) &&
                   !(p.len > i + 2 && memchr("imsU-:", p.p[i + 2], 6)) &&
                   !(str_has_prefix(rest, STR("(?<")) && p.len > i + 3 && p.p[i + 3] != '=' &&
                     p.p[i + 3] != '!')) {
            return "invalid or unsupported Perl syntax";
        } else if (memchr("*+?}", p.p[i], 4) && next == '+') {
            return "invalid nested repetition operator";
        }
    }
    return NULL;
}

static void free_code(void *arg)
{
    pcre2_code_free(arg);
}

int structural_pattern_compile(struct arena *a, struct str pattern,
                               const struct pcre2_real_code_8 **ret, struct err *err)
{
    PCRE2_UCHAR text[128];
    pcre2_code *code;
    const char *foreign;
    PCRE2_SIZE at;
    int code_of_error;

    if (pattern.len > PATTERN_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "regular expression is longer than %d bytes",
                       PATTERN_MAX_BYTES);
    foreign = unsupported(pattern, &at);
    if (foreign)
        return err_set(err, ERR_INVALID, "error parsing regexp: %s: `%.*s`", foreign,
                       STR_ARG(str_sub(pattern, at, at + 3)));
    code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.len, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY,
                         &code_of_error, &at, NULL);
    if (!code) {
        (void)pcre2_get_error_message(code_of_error, text, sizeof(text));
        return err_set(err, ERR_INVALID, "error parsing regexp: %s at %zu", (const char *)text, at);
    }
    arena_defer(a, free_code, code);
    *ret = code;
    return 0;
}

static bool is_limit(int r)
{
    return r == PCRE2_ERROR_MATCHLIMIT || r == PCRE2_ERROR_DEPTHLIMIT || r == PCRE2_ERROR_HEAPLIMIT;
}

static size_t dfa_text_max(const pcre2_code *code)
{
    uint32_t options = 0;

    (void)pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options); /* none: not anchored */
    return options & PCRE2_ANCHORED ? DFA_ANCHORED_TEXT_MAX : DFA_TEXT_MAX;
}

/* Limits that grow, each paid for before it is tried: PCRE2 does not say what a match took. */
static const struct {
    uint32_t limit;
    int64_t cost;
} tiers[] = { { 1000, 20 }, { 10000, 1000 }, { MATCH_STEPS, 10000 } };

bool structural_pattern_matches(const struct pcre2_real_code_8 *code, struct str text,
                                int64_t *steps)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    PCRE2_SPTR p = (PCRE2_SPTR)(text.p ? text.p : "");
    int work[WORKSPACE], r = PCRE2_ERROR_MATCHLIMIT;

    pcre2_set_depth_limit(limits, MATCH_DEPTH);
    pcre2_set_heap_limit(limits, HEAP_KIB);
    for (size_t i = 0; i < ARRAY_LEN(tiers) && is_limit(r) && *steps > 0; i++) {
        *steps -= tiers[i].cost;
        pcre2_set_match_limit(limits, tiers[i].limit);
        r = pcre2_match(code, p, text.len, 0, 0, data, limits);
    }
    if (is_limit(r) && text.len <= dfa_text_max(code) && *steps > 0) {
        *steps -= DFA_COST;
        r = pcre2_dfa_match(code, p, text.len, 0, PCRE2_DFA_SHORTEST, data, limits, work,
                            WORKSPACE);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return r >= 0;
}

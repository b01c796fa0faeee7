#include "scheduler/pod_trim.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

Test(pod_trim, keeps_what_plugins_read)
{
    static const char pod[] =
        "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p','labels':{'a':'b'}},'spec':{"
        "'volumes':[{'name':'s','secret':{'secretName':'x'}},{'name':'e','ephemeral':{}},"
        "{'name':'t','projected':{'sources':[]}},"
        "{'name':'v','persistentVolumeClaim':{'claimName':'c'}}],"
        "'initContainers':[{'name':'i','image':'i','command':['x'],'restartPolicy':'Always',"
        "'resources':{'requests':{'cpu':'1'}}}],"
        "'containers':[{'name':'c','image':'i','args':['y'],'ports':[{'hostPort':1,"
        "'containerPort':2}],'env':[{'name':'E'}],'envFrom':[{}],'resources':{},"
        "'volumeMounts':[{'name':'v','mountPath':'/'}],'livenessProbe':{},'lifecycle':{},"
        "'terminationMessagePath':'/t','imagePullPolicy':'Always','securityContext':{}}],"
        "'nodeSelector':{'d':'e'}},'status':{'phase':'Running'}}";
    static const char want[] =
        "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p','labels':{'a':'b'}},'spec':{"
        "'volumes':[{'name':'e','ephemeral':{}},"
        "{'name':'v','persistentVolumeClaim':{'claimName':'c'}}],"
        "'initContainers':[{'name':'i','image':'i','resources':{'requests':{'cpu':'1'}},"
        "'restartPolicy':'Always'}],"
        "'containers':[{'name':'c','image':'i','ports':[{'hostPort':1,'containerPort':2}],"
        "'resources':{}}],'nodeSelector':{'d':'e'}},'status':{'phase':'Running'}}";
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("pods"));
    char *text = arena_dup(&a, pod, sizeof(pod));
    struct object o;
    struct buf b = { 0 };
    struct err err;

    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(
        object_json_decode(&a, &schema_builtin, row->type, str_from_cstr(text), &o, NULL, &err), 0,
        "%s", err.text);
    pod_trim(o);
    buf_init_arena(&b, &a, 1024);
    object_json_encode(&b, o, NULL);
    for (size_t i = 0; i < b.len; i++)
        b.p[i] = b.p[i] == '"' ? '\'' : b.p[i];
    cr_assert(str_eq(buf_str(&b), str_from_cstr(want)), "%.*s", STR_ARG(buf_str(&b)));
}

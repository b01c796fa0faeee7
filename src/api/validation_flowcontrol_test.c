/* flowcontrol.apiserver.k8s.io; refusals are in the words of upstream's server. */
#include "api/validation_fixture.h"

#define MANDATORY(level, precedence, more, group)                                                  \
    "'priorityLevelConfiguration':{'name':'" level "'},'matchingPrecedence':" precedence more      \
    ",'rules':[{'subjects':[{'kind':'Group','group':{'name':'" group                               \
    "'}}],'resourceRules':[{'verbs':['*'],'apiGroups':['*'],'resources':['*'],'clusterScope':"     \
    "true,'namespaces':['*']}],'nonResourceRules':[{'verbs':['*'],'nonResourceURLs':['*']}]}]"

#define F         "flowcontrol.apiserver.k8s.io/v1."
#define SCHEMA(s) SPEC("'priorityLevelConfiguration':{'name':'l'}" s)
#define FLOW(r)   SCHEMA(",'rules':[" r "]")
#define LEVEL(l)  SPEC("'type':'Limited'" l)
#define QUEUES(q) LEVEL(",'limited':{'limitResponse':{'type':'Queue','queuing':{" q "}}}")

#define LEVEL_STATUS(st)                                                                           \
    "{" META                                                                                       \
    ",'spec':{'type':'Limited','limited':{'limitResponse':{'type':'Reject'}}},'status':{" st "}}"

static const struct validation_case
    flowcontrol[] = {
        { F "FlowSchema", NULL,
          FLOW(
              "{'subjects':[{'kind':'User','user':{'name':'u'}}],'nonResourceRules':[{'verbs':['get'],"
              "'nonResourceURLs':['/x/*']}]}"),
          NULL },
        { F "FlowSchema", NULL, SPEC("'matchingPrecedence':1"),
          "[spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have "
          "matchingPrecedence 1, spec.priorityLevelConfiguration.name: Required value: must reference a "
          "priority level]" },
        { F "FlowSchema", NULL,
          SCHEMA(",'matchingPrecedence':10001,'distinguisherMethod':{'type':'x'}"),
          "[spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000, "
          "spec.distinguisherMethod.type: Unsupported value: {\"Type\":\"x\"}: supported values: "
          "\"ByNamespace\", \"ByUser\"]" },
        { F "FlowSchema", NULL, NAMED("exempt", MANDATORY("exempt", "1", "", "system:masters")),
          NULL },
        { F "FlowSchema", NULL, NAMED("exempt", MANDATORY("exempt", "2", "", "system:masters")),
          "spec: Invalid value: {\"PriorityLevelConfiguration\":{\"Name\":\"exempt\"},"
          "\"MatchingPrecedence\":2..." },
        { F "FlowSchema", NULL,
          NAMED("catch-all",
                MANDATORY("catch-all", "10000", ",'distinguisherMethod':{'type':'ByUser'}",
                          "system:authenticated")),
          "spec: Invalid value: {\"PriorityLevelConfiguration\":{\"Name\":\"catch-all\"}..." },
        { F "PriorityLevelConfiguration", NULL,
          NAMED("catch-all",
                "'type':'Limited','limited':{'nominalConcurrencyShares':5,'limitResponse':{"
                "'type':'Reject'}}"),
          NULL },
        { F "PriorityLevelConfiguration", NULL,
          NAMED("catch-all",
                "'type':'Limited','limited':{'nominalConcurrencyShares':6,'limitResponse':{"
                "'type':'Reject'}}"),
          "spec: Invalid value: {\"Type\":\"Limited\",\"Limited\":{\"NominalConcurrencyShares\":6..." },
        { F "PriorityLevelConfiguration", NULL,
          NAMED("exempt", "'type':'Exempt','exempt':{'nominalConcurrencyShares':9}"), NULL },
        { F "FlowSchema", NULL, FLOW("{}"),
          "[spec.rules[0].subjects: Required value: subjects must contain at least one value, "
          "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be "
          "non-empty]" },
        { F "FlowSchema", NULL,
          FLOW("{'subjects':[{'kind':'x'},{'kind':'Group','user':{'name':'u'}}],'resourceRules':[{"
               "'verbs':['x'],'apiGroups':['*','a'],'resources':['*']}]}"),
          "[spec.rules[0].subjects[0].kind: Unsupported value: \"x\": supported values: \"Group\", "
          "\"ServiceAccount\", \"User\", spec.rules[0].subjects[1].group: Required value: group is "
          "required when subject kind is 'Group', spec.rules[0].subjects[1].user: Forbidden: user is "
          "forbidden when subject kind is not 'User', spec.rules[0].resourceRules[0].verbs: Unsupported "
          "value: [\"x\"]: supported values: \"create\", \"delete\", \"deletecollection\", \"get\", "
          "\"list\", \"patch\", \"proxy\", \"update\", \"watch\", "
          "spec.rules[0].resourceRules[0].apiGroups: Invalid value: [\"*\",\"a\"]: if '*' is present, "
          "must not specify other api groups, spec.rules[0].resourceRules[0].namespaces: Required value: "
          "resource rules that are not cluster scoped must supply at least one namespace]" },
        { F "FlowSchema", NULL,
          FLOW("{'subjects':[{'kind':'ServiceAccount','serviceAccount':{'name':'A'}}],"
               "'nonResourceRules':[{'verbs':['*'],'nonResourceURLs':['x']}]}"),
          "[spec.rules[0].subjects[0].serviceAccount.name: Invalid value: \"A\": a lowercase..." },
        { F "PriorityLevelConfiguration", NULL, QUEUES("'queues':16,'handSize':4"), NULL },
        { F "PriorityLevelConfiguration", NULL, SPEC("'type':'x'"),
          "spec.type: Unsupported value: \"x\": supported values: \"Exempt\", \"Limited\"" },
        { F "PriorityLevelConfiguration", NULL, LEVEL(",'exempt':{}"),
          "[spec.exempt: Forbidden: must be nil if the type is Limited, spec.limited: Required value: "
          "must not be empty when type is Limited]" },
        { F "PriorityLevelConfiguration", NULL, QUEUES("'queues':2,'handSize':4"),
          "spec.limited.limitResponse.queuing.handSize: Invalid value: 4: should not be greater than "
          "queues (2)" },
        { F "PriorityLevelConfiguration", NULL, QUEUES("'queues':1024,'handSize':7"),
          "spec.limited.limitResponse.queuing.handSize: Invalid value: 7: required entropy bits of "
          "deckSize 1024 and handSize 7 should not be greater than 60" },
        { F "PriorityLevelConfiguration", NULL,
          LEVEL(",'limited':{'nominalConcurrencyShares':-1,'lendablePercent':101,"
                "'borrowingLimitPercent':-1,'limitResponse':{'type':'Reject','queuing':{}}}"),
          "[spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer, spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited, spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive, spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer]" },
        { F "FlowSchema", WITH_STATUS(""),
          WITH_STATUS("'conditions':[{'type':'a'},{'type':'a'},{}]"),
          "[status.conditions[1].type: Duplicate value: \"a\", status.conditions[2].type: Required "
          "value]",
          true },
        { F "FlowSchema", NULL,
          "{" META
          ",'spec':{'priorityLevelConfiguration':{'name':'l'},'rules':[{'subjects':[{'kind':'User','user':{}},{'kind':'Group','group':{}},{'kind':'ServiceAccount','serviceAccount':{'namespace':'A'}}],'nonResourceRules':[{'verbs':['get'],'nonResourceURLs':['/x']}]}]}}",
          "[spec.rules[0].subjects[0].user.name: Required value, spec.rules[0].subjects[1].group.name: Required value, spec.rules[0].subjects[2].serviceAccount.name: Required value, spec.rules[0].subjects[2].serviceAccount.namespace: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]" },
        { F "FlowSchema", NULL,
          "{" META ",'spec':{'priorityLevelConfiguration':{'name':'l'},'rules':[{'subjects':[{'kind':'User','user':{'name':'u'}}],'resourceRules':[{'clusterScope':true}],'nonResourceRules':[{}]}]}}", "[spec.rules[0].resourceRules[0].verbs: Required value: verbs must contain at least one value, spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group, spec.rules[0].resourceRules[0].resources: Required value: resource rules must supply at least one resource, spec.rules[0].nonResourceRules[0].verbs: Required value: verbs must contain at least one value, spec.rules[0].nonResourceRules[0].nonResourceURLs: Required value: nonResourceURLs must contain at least one value]" },
        { F "FlowSchema", NULL,
          "{" META
          ",'spec':{'priorityLevelConfiguration':{'name':'L'},'rules':[{'subjects':[{'kind':'User','user':{'name':'u'}}],'nonResourceRules':[{'verbs':['get'],'nonResourceURLs':['/x']}]}]}}",
          "spec.priorityLevelConfiguration.name: Invalid value: \"L\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')" },
        { F "FlowSchema", NULL,
          FLOW(
              "{'subjects':[{'kind':'ServiceAccount','serviceAccount':{'name':'*','namespace':'n'}},{'kind':'User'}],'resourceRules':[{'verbs':['get','*'],'apiGroups':['a'],'resources':['*','b'],'namespaces':['*','n']},{'verbs':['get'],'apiGroups':[''],'resources':['b'],'namespaces':['A']}],'nonResourceRules':[{'verbs':['get'],'nonResourceURLs':['','x','/a b','//','/*/a','/a']},{'verbs':['*'],'nonResourceURLs':['*','/x']}]}"),
          "[spec.rules[0].subjects[1].user: Required value: user is required when subject kind is 'User', spec.rules[0].resourceRules[0].verbs: Invalid value: [\"get\",\"*\"]: if '*' is present, must not specify other verbs, spec.rules[0].resourceRules[0].resources: Invalid value: [\"*\",\"b\"]: if '*' is present, must not specify other resources, spec.rules[0].resourceRules[0].namespaces: Invalid value: [\"*\",\"n\"]: if '*' is present, must not specify other namespaces, spec.rules[0].resourceRules[1].namespaces[0]: Invalid value: \"A\": each member of this list must be '*' or a DNS-1123 label; a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: \"\": must not be empty, spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: \"x\": must start with slash, spec.rules[0].nonResourceRules[0].nonResourceURLs[2]: Invalid value: \"/a b\": must not contain white-space, spec.rules[0].nonResourceRules[0].nonResourceURLs[3]: Invalid value: \"//\": must not contain double slash, spec.rules[0].nonResourceRules[0].nonResourceURLs[4]: Invalid value: \"/*/a\": wildcard can only do suffix matching, spec.rules[0].nonResourceRules[1].nonResourceURLs: Invalid value: [\"*\",\"/x\"]: if '*' is present, must not specify other non-resource URLs]" },
        { F "FlowSchema", NULL,
          FLOW(
              "{'subjects':[{'kind':'ServiceAccount','serviceAccount':{'name':'a','namespace':'n'}}],'resourceRules':[{'verbs':['get'],'apiGroups':['a'],'resources':['b'],'namespaces':['n']}]}"),
          NULL },
        { F "FlowSchema", NULL,
          FLOW(
              "{'subjects':[{'kind':'ServiceAccount','serviceAccount':{'name':'a'}}],'resourceRules':[{'verbs':['get'],'apiGroups':['a'],'resources':['b'],'namespaces':['n']}]}"),
          "spec.rules[0].subjects[0].serviceAccount.namespace: Required value: must specify namespace for service account" },
        { F "FlowSchema", NULL, SCHEMA(",'matchingPrecedence':-1"),
          "spec.matchingPrecedence: Invalid value: -1: must be a positive value" },
        { F "PriorityLevelConfiguration", NULL, SPEC("'type':'Exempt'"),
          "spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'" },
        { F "PriorityLevelConfiguration", NULL,
          NAMED("exempt",
                "'type':'Exempt','exempt':{'nominalConcurrencyShares':-1,'lendablePercent':101}"),
          "[spec.exempt.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer, spec.exempt.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive]" },
        { F "PriorityLevelConfiguration", NULL,
          NAMED("exempt", "'type':'Exempt','exempt':{'nominalConcurrencyShares':1,'lendablePercent':1},'limited':{'limitResponse':{'type':'Reject'}}"), "[spec.limited: Forbidden: must be nil if the type is not Limited, spec: Invalid value: {\"Type\":\"Exempt\",\"Limited\":{\"NominalConcurrencyShares\":30,\"LimitResponse\":{\"Type\":\"Reject\",\"Queuing\":null},\"LendablePercent\":0,\"BorrowingLimitPercent\":null},\"Exempt\":{\"NominalConcurrencyShares\":1,\"LendablePercent\":1}}: spec of 'exempt' except the 'spec.exempt' field must equal the fixed value]" },
        { F "PriorityLevelConfiguration", NULL,
          LEVEL(
              ",'limited':{'borrowingLimitPercent':1,'lendablePercent':1,'limitResponse':{'type':'Reject'}}"),
          NULL },
        { F "PriorityLevelConfiguration", NULL, LEVEL(",'limited':{'limitResponse':{}}"),
          "spec.limited.limitResponse.type: Unsupported value: \"\": supported values: \"Queue\", \"Reject\"" },
        { F "PriorityLevelConfiguration", NULL,
          LEVEL(",'limited':{'limitResponse':{'type':'Queue'}}"),
          "spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited" },
        { F "PriorityLevelConfiguration", NULL,
          QUEUES("'queues':-1,'handSize':-1,'queueLengthLimit':-1"),
          "[spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive, spec.limited.limitResponse.queuing.queues: Invalid value: -1: must be positive, spec.limited.limitResponse.queuing.handSize: Invalid value: -1: must be positive]" },
        { F "PriorityLevelConfiguration", NULL, QUEUES("'queues':10000001,'handSize':1"),
          "spec.limited.limitResponse.queuing.queues: Invalid value: 10000001: must not be greater than 10000000" },
        { F "FlowSchema", WITH_STATUS(""), WITH_STATUS("'conditions':[{'type':'a'},{'type':'b'}]"),
          NULL, true },
        { F "PriorityLevelConfiguration", LEVEL_STATUS(""),
          LEVEL_STATUS("'conditions':[{'type':'a'},{'type':'b'}]"), NULL, true },
        { F "PriorityLevelConfiguration", LEVEL_STATUS(""),
          LEVEL_STATUS("'conditions':[{'type':'a'},{'type':'a'},{}]"),
          "[status.conditions[1].type: Duplicate value: \"a\", status.conditions[2].type: Required value]",
          true },
    };

VALIDATION_TABLE(validation_flowcontrol, flowcontrol, flowcontrol)

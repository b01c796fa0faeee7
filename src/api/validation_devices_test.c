#include "api/validation_fixture.h"

#define D     "resource.k8s.io/v1."
#define CLAIM D "ResourceClaim"
#define LABEL                                                                                       \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "    \
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used " \
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define REQUEST                                                                                    \
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
#define DEVS(d)   SPEC("'devices':{" d "}")
#define REQ(r)    DEVS("'requests':[{" r "}]")
#define EXACT(e)  REQ("'name':'r','exactly':{'deviceClassName':'c'" e "}")
#define FIRST(f)  REQ("'name':'r','firstAvailable':[" f "]")
#define SELECT    "'selectors':[{'cel':{'expression':'true'}}]"
#define OPAQUE(o) "'opaque':{" o "}"
#define DRIVER    "'driver':'d.x','parameters':{'a':1}"
#define TOL(t)    EXACT(",'tolerations':[{" t "}]")
#define EX        "spec.devices.requests[0].exactly."

static const struct validation_case claims[] = {
    { CLAIM, NULL,
      DEVS(
          "'requests':[{'name':'r','exactly':{'deviceClassName':'c.x'," SELECT
          ",'allocationMode':'All','tolerations':[{'key':'a.b/c','operator':'Equal','value':'v',"
          "'effect':'None'},{'operator':'Exists'}]}},{'name':'s','firstAvailable':[{'name':'t',"
          "'deviceClassName':'c','count':3}]}],'constraints':[{'requests':['r','s/t'],"
          "'matchAttribute':'a.b/c'},{'distinctAttribute':'a/d'}],'config':[{'requests':['s']," OPAQUE(
              DRIVER) "}]"),
      NULL },
    { CLAIM, NULL, REQ("'name':'R'"),
      "[spec.devices.requests[0].name: Invalid value: \"R\": " LABEL
      ", spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is "
      "required]" },
    { CLAIM, NULL,
      REQ("'name':'r','exactly':{},'firstAvailable':[{'name':'s','deviceClassName':'c'}]"),
      "spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` "
      "is required, but multiple fields are set" },
    { CLAIM, NULL, REQ("'name':'r','exactly':{'allocationMode':'x'}"),
      "[" EX "deviceClassName: Required value, " EX
      "allocationMode: Unsupported value: \"x\": supported values: \"All\", \"ExactCount\"]" },
    { CLAIM, NULL, EXACT(",'allocationMode':'All','count':2"),
      EX "count: Invalid value: 2: must not be specified when allocationMode is 'All'" },
    { CLAIM, NULL, EXACT(",'count':-1"), EX "count: Invalid value: -1: must be greater than zero" },
    { CLAIM, NULL, EXACT(",'selectors':[{}]"), EX "selectors[0].cel: Required value" },
    { CLAIM, NULL, REQ("'name':'r','exactly':{'deviceClassName':'C'}"),
      EX "deviceClassName: Invalid value: \"C\": a lowercase RFC 1123 subdomain..." },
    { CLAIM, NULL,
      FIRST("{'name':'S','deviceClassName':''," SELECT ",'count':-1},{'name':'s',"
            "'deviceClassName':'c'},{'name':'s','deviceClassName':'c'}"),
      "[spec.devices.requests[0].firstAvailable[0].name: Invalid value: \"S\": " LABEL
      ", spec.devices.requests[0].firstAvailable[0].deviceClassName: Required value, "
      "spec.devices.requests[0].firstAvailable[0].count: Invalid value: -1: must be greater than "
      "zero, spec.devices.requests[0].firstAvailable[2]: Duplicate value: \"s\"]" },
    { CLAIM, NULL, FIRST("{},{},{},{},{},{},{},{},{}"),
      "spec.devices.requests[0].firstAvailable: Too many: 9: must have at most 8 items" },
    { CLAIM, NULL,
      FIRST("{'name':'s','deviceClassName':'c','selectors':[" TIMES_8("{},{},{},{},") "{}]}"),
      "spec.devices.requests[0].firstAvailable[0].selectors: Too many: 33: must have at most 32 items" },
    { CLAIM, NULL, TOL("'key':'/','operator':'x','effect':'y'"),
      "[" EX "tolerations[0].key: Invalid value: \"/\": prefix part must be non-empty, " EX
      "tolerations[0].key: Invalid value: \"/\": name part must be non-empty, " EX
      "tolerations[0].key: Invalid value: \"/\": name part must consist of..." },
    { CLAIM, NULL, TOL("'operator':'x','effect':'y'"),
      "[" EX "tolerations[0].operator: Unsupported value: \"x\": supported values: \"Equal\", "
      "\"Exists\", " EX "tolerations[0].effect: Unsupported value: \"y\": supported values: "
      "\"NoExecute\", \"NoSchedule\", \"None\"]" },
    { CLAIM, NULL, TOL("'operator':'Exists','value':'v'"),
      EX "tolerations[0].value: Invalid value: \"v\": must be empty for operator `Exists`" },
    { CLAIM, NULL, DEVS("'constraints':[{'requests':['x','y','x']},{'matchAttribute':'a'}]"),
      "[spec.devices.constraints[0].requests[0]: Invalid value: \"x\": " REQUEST
      ", spec.devices.constraints[0].requests[1]: Invalid value: \"y\": " REQUEST
      ", spec.devices.constraints[0].requests[2]: Invalid value: \"x\": " REQUEST
      ", spec.devices.constraints[0].requests[2]: Duplicate value: \"x\", "
      "spec.devices.constraints[0]: Required value: exactly one of \"matchAttribute\" or "
      "\"distinctAttribute\" is required, but multiple fields are set, "
      "spec.devices.constraints[1].matchAttribute: Invalid value: \"a\": a fully qualified name "
      "must be a domain and a name separated by a slash]" },
    { CLAIM, NULL, DEVS("'constraints':[{'distinctAttribute':'/'}]"),
      "[spec.devices.constraints[0].distinctAttribute: Invalid value: \"\": the domain must not be "
      "empty, spec.devices.constraints[0].distinctAttribute: Invalid value: \"\": the name must not "
      "be empty]" },
    { CLAIM, NULL, DEVS("'config':[{'requests':['a/b/c']}]"),
      "[spec.devices.config[0].requests[0]: Invalid value: \"a/b/c\": " REQUEST
      ", spec.devices.config[0].opaque: Required value]" },
    { CLAIM, NULL, DEVS("'config':[{'opaque':{'driver':'D_','parameters':{}}}]"),
      "spec.devices.config[0].opaque.driver: Invalid value: \"D_\": a lowercase RFC 1123 "
      "subdomain..." },
    { CLAIM, NULL, DEVS("'config':[{'opaque':{'driver':'D.x'}}]"),
      "spec.devices.config[0].opaque.parameters: Required value" },
    { CLAIM, EXACT(""), EXACT(""), NULL },
    { CLAIM, EXACT(""), EXACT(",'count':2"), "spec: Invalid value: {\"..." },
    { D "ResourceClaimTemplate", NULL,
      SPEC("'metadata':{'labels':{'a':'b'}},'spec':{'devices':{'requests':[{'name':'r','exactly':{"
           "'deviceClassName':'c'}}]}}"),
      NULL },
    { D "ResourceClaimTemplate", NULL, SPEC("'metadata':{'name':'x','labels':{'a':'/'}}"),
      "[spec.metadata.labels: Invalid value: \"/\": a valid label must be..." },
    { D "ResourceClaimTemplate", NULL, SPEC("'metadata':{'name':'x','uid':'u'}"),
      "[spec.metadata.name: Forbidden: cannot be set, spec.metadata.uID: Forbidden: cannot be "
      "set]" },
    { D "ResourceClaimTemplate", SPEC(""), SPEC("'metadata':{'labels':{'a':'b'}}"),
      "spec: Invalid value: {\"..." },
    { D "DeviceClass", NULL,
      SPEC(SELECT ",'config':[{" OPAQUE(DRIVER) "}],'extendedResourceName':'a.b/c'"), NULL },
    { D "DeviceClass", NULL, SPEC("'selectors':[{}],'config':[{}],'extendedResourceName':'cpu'"),
      "[spec.selectors[0].cel: Required value, spec.config[0].opaque: Required value, "
      "spec.extendedResourceName: Invalid value: \"cpu\": must be a valid extended resource name]" },
    { D "DeviceClass", SPEC(""), SPEC(SELECT), NULL },
};

VALIDATION_TABLE(validation_devices, claims, claims)

#define CLAIM_SPEC                                                                                 \
    "'spec':{'devices':{'requests':[{'name':'r','exactly':{'deviceClassName':'c'}}]}}"
#define STATUS(st) "{" META "," CLAIM_SPEC ",'status':{" st "}}"
#define GOING(st)                                                                                  \
    "{'metadata':{'name':'x','namespace':'d','resourceVersion':'1','deletionTimestamp':"           \
    "'2024-01-01T00:00:00Z'}," CLAIM_SPEC ",'status':{" st "}}"
#define RESULT(r)    "'request':'r','driver':'d.x','pool':'p/q','device':'dev'" r
#define ALLOC(r)     "'allocation':{'devices':{'results':[{" r "}]}}"
#define USER(u)      "{'resource':'pods','name':'p','uid':'" u "'}"
#define DEVICE(d)    "'devices':[{'driver':'d.x','pool':'p/q','device':'dev'" d "}]"
#define OF_DEVICE(d) ALLOC(RESULT("")) "," DEVICE(d)
#define CONDITION                                                                                  \
    "'type':'Ready','status':'True','reason':'R','message':'','lastTransitionTime':'2024-01-01T00:00:00Z'"
#define UUID "11111111-2222-3333-4444-55555555555a"

static const struct validation_case statuses[] = {
    { CLAIM, STATUS(""),
      STATUS("'reservedFor':[" USER("a") "]," ALLOC(RESULT(
          ",'shareID':'" UUID "','bindingConditions':['a.b/c'],'bindingFailureConditions':['d'],"
          "'tolerations':[{}]")) ",'devices':[{'driver':'d.x','pool':'p/q','device':'dev','shareID':'" UUID
                                 "','conditions':[{" CONDITION
                                 "}],'data':{'a':1},'networkData':{'interfaceName':'e',"
                                 "'ips':['10.0.0.1/24','fd00::1/64']}}]"),
      NULL, true },
    { CLAIM, STATUS(""), STATUS("'reservedFor':[{}]"),
      "[status.reservedFor[0].resource: Required value, status.reservedFor[0].name: Required value, "
      "status.reservedFor[0].uid: Required value, status.reservedFor: Forbidden: may not be "
      "specified when `allocated` is not set]",
      true },
    { CLAIM, STATUS(""), STATUS("'reservedFor':[" USER("a") "," USER("a") "]," ALLOC(RESULT(""))),
      "status.reservedFor[1]: Duplicate value: \"a\"", true },
    { CLAIM, GOING(ALLOC(RESULT(""))), GOING("'reservedFor':[" USER("a") "]," ALLOC(RESULT(""))),
      "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or "
      "`deletionTimestamp` are set",
      true },
    { CLAIM, STATUS(ALLOC(RESULT(""))), STATUS(ALLOC(RESULT(",'adminAccess':true"))),
      "status.allocation: Invalid value: {\"...", true },
    { CLAIM, STATUS(""), STATUS(ALLOC("")),
      "[status.allocation.devices.results[0].request: Invalid value: \"\": " LABEL
      ", status.allocation.devices.results[0].request: Invalid value: \"\": " REQUEST
      ", status.allocation.devices.results[0].driver: Required value, "
      "status.allocation.devices.results[0].pool: Required value, "
      "status.allocation.devices.results[0].device: Invalid value: \"\": " LABEL "]",
      true },
    { CLAIM, STATUS(""), STATUS(ALLOC(RESULT(",'shareID':'x','bindingConditions':['a','a']"))),
      "[status.allocation.devices.results[0].bindingConditions[1]: Duplicate value: \"a\", "
      "status.allocation.devices.results[0].bindingFailureConditions: Invalid value: null: "
      "bindingFailureConditions are required to use bindingConditions, "
      "status.allocation.devices.results[0].shareID: Invalid value: \"x\": error validating uid: "
      "invalid UUID length: 1]",
      true },
    { CLAIM, STATUS(""),
      STATUS(ALLOC(RESULT(",'bindingFailureConditions':['/'],'bindingConditions':['b','c','d','e',"
                          "'f']"))),
      "[status.allocation.devices.results[0].bindingConditions: Too many: 5: must have at most 4 "
      "items, status.allocation.devices.results[0].bindingFailureConditions[0]: Invalid...",
      true },
    { CLAIM, STATUS(""),
      STATUS(
          "'allocation':{'devices':{'config':[{" OPAQUE(DRIVER) "},{'source':'x','requests':["
                                                                "'r','r']," OPAQUE(DRIVER) "}]}}"),
      "[status.allocation.devices.config[0].source: Required value, "
      "status.allocation.devices.config[1].source: Unsupported value: \"x\": supported values: "
      "\"FromClaim\", \"FromClass\", status.allocation.devices.config[1].requests[1]: Duplicate "
      "value: \"r\"]",
      true },
    { CLAIM, STATUS(""), STATUS("'allocation':{'nodeSelector':{'nodeSelectorTerms':[]}}"),
      "status.allocation.nodeSelector.nodeSelectorTerms: Required value: must have at least one node "
      "selector term",
      true },
    { CLAIM, STATUS(""),
      STATUS(
          "'allocation':{'devices':{'results':[{" RESULT("") "}],'config':[{'source':'FromClass','requests':['r']," OPAQUE(
              DRIVER) "}]}}," DEVICE(",'networkData':{'hardwareAddress':'ea:9f'}")),
      NULL, true },
    { CLAIM, STATUS(""),
      STATUS(OF_DEVICE(",'networkData':{'interfaceName':'x" TIMES_64(
          "xxxx") "','hardwareAddress':'x" TIMES_64("xx") "'}")),
      "[status.devices[0].networkData.interfaceName: Too long: may not be more than 256 bytes, status.devices[0].networkData.hardwareAddress: Too long: may not be more than 128 bytes]",
      true },
    { CLAIM, STATUS(""),
      STATUS(ALLOC(RESULT(
          "")) ",'devices':[{'driver':'d.x','pool':'p/q','device':'dev'},{'driver':'d.x','pool':'p/q','device':'dev'}]"),
      "status.devices[1]: Duplicate value: {\"Driver\":\"d.x\",\"Pool\":\"p/q\",\"Device\":\"dev\",\"ShareID\":\"\"}",
      true },
    { CLAIM, STATUS(""),
      STATUS(ALLOC(RESULT(",'tolerations':[{'key':'/','operator':'x','effect':'y'}]"))), NULL,
      true },
    { CLAIM, STATUS(""), STATUS(DEVICE("")),
      "status.devices[0]: Invalid value: {\"Driver\":\"d.x\",\"Pool\":\"p/q\",\"Device\":\"dev\","
      "\"ShareID\":\"\"}: must be an allocated device in the claim",
      true },
    { CLAIM, STATUS(""),
      STATUS(OF_DEVICE(",'data':{},'conditions':[{},{" CONDITION "},{" CONDITION "}]")),
      "[status.devices[0].conditions[0].type: Invalid value: \"\": name part must be non-empty, "
      "status.devices[0].conditions[0].type: Invalid value: \"\": name part must consist of "
      "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
      "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
      "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), status.devices[0].conditions[0].status: "
      "Unsupported value: \"\": supported values: \"False\", \"True\", \"Unknown\", "
      "status.devices[0].conditions[0].lastTransitionTime: Required value, "
      "status.devices[0].conditions[0].reason: Required value, "
      "status.devices[0].conditions[2].type: Duplicate value: \"Ready\"]",
      true },
    { CLAIM, STATUS(""),
      STATUS(OF_DEVICE(",'networkData':{'ips':['10.0.0.1','FD00::1/64','10.0.0.1']}")),
      "[status.devices[0].networkData.ips[0]: Invalid value: \"10.0.0.1\": must be a valid address "
      "in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64), status.devices[0].networkData.ips[1]: "
      "Invalid value: \"FD00::1/64\": must be in canonical form (\"fd00::1/64\"), "
      "status.devices[0].networkData.ips[2]: Invalid value: \"10.0.0.1\": must be a valid address "
      "in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64), status.devices[0].networkData.ips[2]: "
      "Duplicate value: \"10.0.0.1\"]",
      true },
};

VALIDATION_TABLE(validation_devices, statuses, statuses)

#define SLICE     D "ResourceSlice"
#define POOL      "'driver':'d.x','pool':{'name':'p/q','resourceSliceCount':1}"
#define ON_ALL(s) SPEC(POOL ",'allNodes':true," s)
#define DEV(d)    ON_ALL("'devices':[{'name':'d'," d "}]")
#define CAPACITY(p)                                                                                \
    DEV("'allowMultipleAllocations':true,'capacity':{'m':{'value':'10','requestPolicy':{" p "}}}")
#define ONE_NODE                                                                                   \
    "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
#define POLICY "spec.devices[0].capacity[m].requestPolicy."

static const struct validation_case slices[] = {
    { SLICE, NULL, SPEC(POOL ",'nodeName':'n'"), NULL },
    { SLICE, NULL, SPEC("'pool':{'generation':-1}"),
      "[spec.driver: Required value, spec.pool.name: Required value, spec.pool.resourceSliceCount: "
      "Invalid value: 0: must be greater than zero, spec.pool.generation: Invalid value: -1: must be "
      "greater than or equal to zero, spec: Required value: " ONE_NODE "]" },
    { SLICE, NULL, SPEC(POOL ",'nodeName':'','allNodes':false,'perDeviceNodeSelection':false"),
      "[spec.nodeName: Invalid value: \"\": must be either unset or set to a non-empty string, "
      "spec.allNodes: Invalid value: false: must be either unset or set to true, "
      "spec.perDeviceNodeSelection: Invalid value: false: must be either unset or set to true, spec: "
      "Required value: " ONE_NODE "]" },
    { SLICE, NULL, SPEC(POOL ",'nodeName':'n','allNodes':true"),
      "spec: Invalid value: \"{`nodeName`, `allNodes`}\": " ONE_NODE
      ", but multiple fields are set" },
    { SLICE, NULL, SPEC(POOL ",'nodeSelector':{'nodeSelectorTerms':[{},{}]}"),
      "spec.nodeSelector.nodeSelectorTerms: Invalid value: [..." },
    { SLICE, SPEC(POOL ",'nodeName':'n'"),
      SPEC("'driver':'e.x','pool':{'name':'q','resourceSliceCount':2},'nodeName':'m'"),
      "[spec.pool.name: Invalid value: \"q\": field is immutable, spec.driver: Invalid value: "
      "\"e.x\": field is immutable, spec.nodeName: Invalid value: \"m\": field is immutable]" },
    { SLICE, SPEC(POOL ",'nodeName':'n'"),
      SPEC("'driver':'d.x','pool':{'name':'p/q','generation':3,'resourceSliceCount':2},"
           "'nodeName':'n'"),
      NULL },
    { SLICE, NULL, ON_ALL("'sharedCounters':[{'name':'a','counters':{'m':{'value':'1'}}}]"), NULL },
    { SLICE, NULL,
      ON_ALL("'devices':[],'sharedCounters':[{'name':'A','counters':{'M':{'value':'1'}}},{},{}]"),
      "[spec: Invalid value: \"\": only one of `sharedCounters` or `devices` is allowed, "
      "spec.sharedCounters[0].name: Invalid value: \"A\": " LABEL
      ", spec.sharedCounters[0].counters: Invalid value: \"M\": " LABEL
      ", spec.sharedCounters[1].name: Required value, spec.sharedCounters[1].counters: Required "
      "value, spec.sharedCounters[2].name: Required value, spec.sharedCounters[2].counters: Required "
      "value, spec.sharedCounters[2]: Duplicate value: \"\"]" },
    { SLICE, NULL,
      DEV("'attributes':{'a':{'int':1},'b.c/d':{'version':'1.2.3-rc.1+b.01'},'e':{'string':'s'}},"
          "'capacity':{'m':{'value':'1'}},'taints':[{'key':'k','value':'v','effect':'None'}],"
          "'consumesCounters':[{'counterSet':'c','counters':{'m':{'value':'1'}}}],"
          "'bindingConditions':['a'],'bindingFailureConditions':['b']"),
      NULL },
    { SLICE, NULL, ON_ALL("'devices':[{'name':'d'},{'name':'d'},{'name':'D'}]"),
      "[spec.devices[2].name: Invalid value: \"D\": " LABEL
      ", spec.devices[1]: Duplicate value: \"d\"]" },
    { SLICE, NULL, DEV("'attributes':{'a':{},'/':{'int':1,'bool':true}}"),
      "[spec.devices[0].attributes: Invalid value: \"\": the domain must not be empty, "
      "spec.devices[0].attributes: Invalid value: \"\": the name must not be empty, "
      "spec.devices[0].attributes[/]: Invalid value: {\"..." },
    { SLICE, NULL, DEV("'attributes':{'a':{'version':'1.02.3'},'b':{}}"),
      "[spec.devices[0].attributes[a].version: Invalid value: \"1.02.3\": must be a string "
      "compatible with semver.org spec 2.0.0, spec.devices[0].attributes[b]: Invalid value: \"\": "
      "exactly one value must be specified]" },
    { SLICE, NULL, DEV("'attributes':{'a':{'version':'1.2.3-'}}"),
      "spec.devices[0].attributes[a].version: Invalid value: \"1.2.3-\": must be a string "
      "compatible with semver.org spec 2.0.0" },
    { SLICE, NULL, DEV("'capacity':{'m':{'value':'1','requestPolicy':{}}}"),
      "spec.devices[0].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be "
      "true" },
    { SLICE, NULL, DEV("'taints':[{'key':'k'},{'key':'k','value':'/','effect':'x'}]"),
      "[spec.devices[0].taints[0].effect: Required value, spec.devices[0].taints[1].value: Invalid "
      "value: \"/\": a valid label..." },
    { SLICE, NULL, DEV("'taints':[{'effect':'x'}]"),
      "[spec.devices[0].taints[0].key: Invalid value: \"\": name part must be non-empty, "
      "spec.devices[0].taints[0].key: Invalid value: \"\": name part must consist of..." },
    { SLICE, NULL, DEV("'consumesCounters':[{},{'counterSet':'C','counters':{'m':{'value':'1'}}}]"),
      "[spec.devices[0].consumesCounters[0].counterSet: Required value, "
      "spec.devices[0].consumesCounters[0].counters: Required value, "
      "spec.devices[0].consumesCounters[1].counterSet: Invalid value: \"C\": " LABEL "]" },
    { SLICE, NULL, DEV("'consumesCounters':[{},{},{}]"),
      "spec.devices[0].consumesCounters: Too many: 3: must have at most 2 items" },
    { SLICE, NULL, DEV("'nodeName':'n'"),
      "spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be "
      "set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec" },
    { SLICE, NULL,
      SPEC(POOL ",'perDeviceNodeSelection':true,'devices':[{'name':'a','nodeName':'n'},"
                "{'name':'b','nodeSelector':{'nodeSelectorTerms':[{},{}]}},{'name':'c',"
                "'allNodes':true}]"),
      NULL },
    { SLICE, NULL,
      SPEC(POOL ",'perDeviceNodeSelection':true,'devices':[{'name':'a','nodeName':''},"
                "{'name':'b','nodeSelector':{'nodeSelectorTerms':[]},'allNodes':true}]"),
      "[spec.devices[0].nodeName: Invalid value: \"\": must not be empty, spec.devices[0]: Required "
      "value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
      "`perDeviceNodeSelection` is set to true in the ResourceSlice spec, "
      "spec.devices[1].nodeSelector.nodeSelectorTerms: Required value: must have at least one node "
      "selector term, spec.devices[1]: Invalid value: \"{`nodeSelector`, `allNodes`}\": exactly one "
      "of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set "
      "to true in the ResourceSlice spec]" },
    { SLICE, NULL, DEV("'bindingConditions':['a'],'bindingFailureConditions':['a']"),
      "spec.devices[0].bindingFailureConditions[0]: Invalid value: \"a\": bindingFailureConditions "
      "must not overlap with bindingConditions" },
    { SLICE, NULL, CAPACITY("'default':'1','validRange':{'min':'1','max':'9','step':'2'}"), NULL },
    { SLICE, NULL, CAPACITY("'default':'2','validValues':['1','2']"), NULL },
    { SLICE, NULL, CAPACITY("'validValues':['1']"),
      POLICY "default: Required value: required when validValues is defined" },
    { SLICE, NULL, CAPACITY("'validRange':{}"),
      POLICY "default: Required value: required when validRange is defined" },
    { SLICE, NULL, CAPACITY("'default':'1','validRange':{}"),
      POLICY "validRange.min: Required value: required when validRange is defined" },
    { SLICE, NULL, CAPACITY("'default':'1','validRange':{'min':'1'},'validValues':['1']"),
      "spec.devices[0].capacity[m].requestPolicy: Forbidden: exactly one policy can be specified, "
      "cannot specify \"validValues\" and \"validRange\" at the same time" },
    { SLICE, NULL, CAPACITY("'default':'3','validValues':['2','1','1','11']"),
      "[" POLICY
      "validValues[1]: Invalid value: \"1\": values must be sorted in ascending order, " POLICY
      "validValues[3]: Invalid value: \"11\": option is larger than capacity value: 10, " POLICY
      "validValues[2]: Duplicate value: \"1\", " POLICY
      "validValues: Invalid value: \"3\": default value is not valid according to the "
      "requestPolicy]" },
    { SLICE, NULL, CAPACITY("'default':'1','validRange':{'min':'11','max':'10'}"),
      "[" POLICY
      "validRange.min: Invalid value: \"11\": min is larger than capacity value: 10, " POLICY
      "validRange.min: Invalid value: \"1\": default is less than min: 11, " POLICY
      "validRange.max: Invalid value: \"11\": min is larger than max: 10]" },
    { SLICE, NULL, CAPACITY("'default':'12','validRange':{'min':'1','max':'11','step':'9500m'}"),
      "[" POLICY
      "validRange.max: Invalid value: \"11\": max is larger than capacity value: 10, " POLICY
      "validRange.max: Invalid value: \"12\": default is more than max: 11, " POLICY
      "validRange.step: Invalid value: \"9500m\": one step 10500m is larger than capacity "
      "value: 10, " POLICY "validRange.step: Invalid value: \"12\": value is not a multiple of a "
      "given step (9500m) from (1)]" },
    { SLICE, NULL, CAPACITY("'default':'1','validRange':{'min':'1','step':'0'}"),
      POLICY "validRange.step: Invalid value: \"1\": value is not a multiple of a given step (0) "
             "from (1)" },
};

VALIDATION_TABLE(validation_devices, slices, slices)

#include "api/validation_fixture.h"

#define PV(spec)  SPEC("'accessModes':['ReadWriteOnce'],'capacity':{'storage':'1Gi'}" spec)
#define HOST      ",'hostPath':{'path':'/x'}"
#define SIZE(s)   "'resources':{'requests':{'storage':'" s "'}}"
#define PVC(spec) SPEC("'accessModes':['ReadWriteOnce']," SIZE("1Gi") spec)
#define BOUND(s)                                                                                   \
    "{" META ",'spec':{'accessModes':['ReadWriteOnce']," SIZE(                                     \
        s) "},'status':{'phase':'Bound','capacity':{'storage':'2Gi'}}}"
#define NEGATIVE "Invalid value: -1: must be greater than or equal to 0"

static const struct validation_case volumes[] = {
    { "core/v1.PersistentVolume", NULL, PV(HOST), NULL },
    { "core/v1.PersistentVolume", NULL, SPEC("'hostPath':{'path':'/x'}"),
      "[spec.accessModes: Required value, spec.capacity: Required value, spec.capacity: Unsupported "
      "value: null: supported values: \"storage\"]" },
    { "core/v1.PersistentVolume", NULL, PV(""),
      "spec: Required value: must specify a volume type" },
    { "core/v1.PersistentVolume", NULL, PV(HOST ",'nfs':{'server':'s','path':'/p'}"),
      "spec.nfs: Forbidden: may not specify more than 1 volume type" },
    { "core/v1.PersistentVolume", NULL,
      SPEC(
          "'accessModes':['x','ReadWriteOnce','ReadWriteOncePod'],'capacity':{'storage':'0'}" HOST),
      "[spec.accessModes: Unsupported value: \"x\": supported values: \"ReadOnlyMany\", "
      "\"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\", spec.accessModes: Forbidden: may "
      "not use ReadWriteOncePod with other access modes, spec.capacity[storage]: Invalid value: "
      "\"0\": must be greater than zero]" },
    { "core/v1.PersistentVolume", NULL,
      PV(HOST ",'persistentVolumeReclaimPolicy':'x','volumeMode':'y','storageClassName':'A'"),
      "[spec.persistentVolumeReclaimPolicy: Unsupported value: \"x\": supported values: \"Delete\", "
      "\"Recycle\", \"Retain\", spec.storageClassName: Invalid value: \"A\": a lowercase..." },
    { "core/v1.PersistentVolume", NULL, PV(",'local':{'path':'/x'}"),
      "spec.nodeAffinity: Required value: Local volume requires node affinity" },
    { "core/v1.PersistentVolume", NULL, PV(",'csi':{}"),
      "[spec.csi.driver: Required value, spec.csi.volumeHandle: Required value]" },
    { "core/v1.PersistentVolume", NULL, PV(HOST ",'volumeAttributesClassName':'gold'"),
      "spec.csi: Required value: has to be specified when using volumeAttributesClassName" },
    { "core/v1.PersistentVolume", PV(HOST), PV(",'nfs':{'server':'s','path':'/p'}"),
      "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after "
      "creation\n..." },
    { "core/v1.PersistentVolume", PV(HOST), PV(HOST ",'volumeMode':'Block'"),
      "volumeMode: Invalid value: \"Block\": field is immutable" },
    { "core/v1.PersistentVolume", PV(HOST), PV(HOST ",'persistentVolumeReclaimPolicy':'Delete'"),
      NULL },
    { "core/v1.PersistentVolumeClaim", NULL, PVC(""), NULL },
    { "core/v1.PersistentVolumeClaim", NULL, SPEC(""),
      "[spec.accessModes: Required value: at least 1 access mode is required, "
      "spec.resources[storage]: Required value]" },
    { "core/v1.PersistentVolumeClaim", NULL, SPEC("'accessModes':['x']," SIZE("-1")),
      "[spec.accessModes: Unsupported value: \"x\": supported values: \"ReadOnlyMany\", "
      "\"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\", spec.resources[storage]: Invalid "
      "value: \"-1\": must be greater than zero]" },
    { "core/v1.PersistentVolumeClaim", NULL, PVC(",'volumeMode':'x','storageClassName':'A'"),
      "[spec.storageClassName: Invalid value: \"A\": a lowercase RFC 1123 subdomain..." },
    { "core/v1.PersistentVolumeClaim", NULL,
      PVC(",'dataSource':{'kind':'PersistentVolumeClaim','name':'p'}"), NULL },
    { "core/v1.PersistentVolumeClaim", NULL, PVC(",'dataSource':{'kind':'k','name':'p'}"),
      "spec.dataSource: Invalid value: \"k\": must be 'PersistentVolumeClaim' when referencing the "
      "default apiGroup" },
    { "core/v1.PersistentVolumeClaim", NULL,
      PVC(",'dataSource':{'kind':'PersistentVolumeClaim','name':'p'},'dataSourceRef':{'kind':"
          "'PersistentVolumeClaim','name':'q'}"),
      "spec: Invalid value: {}: must match dataSourceRef" },
    { "core/v1.PersistentVolumeClaim", NULL,
      PVC(",'dataSourceRef':{'apiGroup':'a.b','kind':'','name':'','namespace':'D'}"),
      "[spec.dataSourceRef.name: Required value, spec.dataSourceRef.kind: Required value, "
      "spec.dataSourceRef.namespace: Invalid value: \"D\": a lowercase..." },
    { "core/v1.PersistentVolumeClaim", PVC(""), PVC(",'volumeName':'v'"), NULL },
    { "core/v1.PersistentVolumeClaim", PVC(",'volumeName':'v'"), PVC(",'volumeName':'w'"),
      "spec: Forbidden: spec is immutable after creation except resources.requests and "
      "volumeAttributesClassName for bound claims\n..." },
    { "core/v1.PersistentVolumeClaim", BOUND("2Gi"), BOUND("3Gi"), NULL },
    { "core/v1.PersistentVolumeClaim", BOUND("2Gi"), BOUND("1Gi"),
      "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity" },
};

VALIDATION_TABLE(validation_storage, volumes, volumes)

#define S           "storage.k8s.io/v1."
#define CLASS(more) "{" META ",'provisioner':'a/b'" more "}"
#define VAC(more)   "{" META more "}"
#define ATTACH(s)   SPEC("'attacher':'a.b','nodeName':'n','source':{" s "}")
#define DRIVER(d)   SPEC("'drivers':[" d "]")
#define CAPACITY(c) "{" META ",'storageClassName':'" c "'}"
#define ATTACHED    ATTACH("'persistentVolumeName':'p'")
#define X_1024      TIMES_64("xxxxxxxxxxxxxxxx")
#define X_262144    TIMES_8(TIMES_8(X_1024 X_1024 X_1024 X_1024))

static const struct validation_case storage[] = {
    { S "StorageClass", NULL, CLASS(",'parameters':{'a':'b'}"), NULL },
    { S "StorageClass", NULL, "{" META "}", "provisioner: Required value" },
    { S "StorageClass", NULL, CLASS(",'reclaimPolicy':'x','volumeBindingMode':'y'"),
      "[reclaimPolicy: Unsupported value: \"x\": supported values: \"Delete\", \"Retain\", "
      "volumeBindingMode: Unsupported value: \"y\": supported values: \"Immediate\", "
      "\"WaitForFirstConsumer\"]" },
    { S "StorageClass", NULL, CLASS(",'parameters':{'':'b'}"),
      "parameters: Invalid value: \"\": field can not be empty." },
    { S "StorageClass", CLASS(",'parameters':{'a':'b'}"), CLASS(",'parameters':{'a':'c'}"),
      "parameters: Invalid value: {\"a\":\"c\"}: field is immutable" },
    { S "StorageClass", CLASS(""), CLASS(",'reclaimPolicy':'Retain'"),
      "reclaimPolicy: Invalid value: \"Retain\": field is immutable" },
    { S "StorageClass", NULL,
      CLASS(",'allowedTopologies':[{'matchLabelExpressions':[{'key':'a','values':['x','x']},{'key':"
            "'a'}]}]"),
      "[allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: \"x\", "
      "allowedTopologies[0].matchLabelExpressions[1].values: Required value, "
      "allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: \"a\"]" },
    { S "StorageClass", NULL,
      CLASS(",'allowedTopologies':[{'matchLabelExpressions':[{'key':'a','values':['x','y']}]}]"),
      NULL },
    { S "StorageClass", NULL,
      CLASS(",'allowedTopologies':[{'matchLabelExpressions':[{'key':'a','values':['x','y']}]},{"
            "'matchLabelExpressions':[{'key':'a','values':['y','x']}]}]"),
      "allowedTopologies[1].matchLabelExpressions: Duplicate value: \"\"" },
    { S "VolumeAttributesClass", NULL, VAC(",'driverName':'d','parameters':{'a':'b'}"), NULL },
    { S "VolumeAttributesClass", NULL, VAC(""),
      "[driverName: Required value, parameters: Required value: must contain at least one key/value "
      "pair]" },
    { S "VolumeAttributesClass", VAC(",'driverName':'d','parameters':{'a':'b'}"),
      VAC(",'driverName':'e','parameters':{'a':'c'}"),
      "[driverName: Forbidden: updates to driverName are forbidden., parameters: Forbidden: updates "
      "to parameters are forbidden.]" },
    { S "VolumeAttachment", NULL, ATTACHED, NULL },
    { S "VolumeAttachment", NULL, ATTACH(""),
      "spec.source: Required value: must specify exactly one of inlineVolumeSpec and "
      "persistentVolumeName" },
    { S "VolumeAttachment", NULL, SPEC("'source':{'persistentVolumeName':''},'nodeName':'N'"),
      "[spec.attacher: Required value, spec.source.persistentVolumeName: Required value: must "
      "specify non empty persistentVolumeName, spec.nodeName: Invalid value: \"N\": a lowercase..." },
    { S "VolumeAttachment", NULL,
      ATTACH("'inlineVolumeSpec':{'accessModes':['ReadWriteOnce'],'capacity':{'storage':'1'},"
             "'hostPath':{'path':'/x'}}"),
      "[spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of "
      "inline volumes, spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the "
      "context of inline volumes]" },
    { S "VolumeAttachment", ATTACHED, ATTACH("'persistentVolumeName':'q'"),
      "spec: Invalid value: {\"Attacher\"..." },
    { S "VolumeAttachment", ATTACHED,
      WITH_STATUS("'attached':false,'attachError':{'errorCode':-1}"),
      "status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, "
      "inclusive",
      true },
    { S "CSIDriver", NULL, SPEC(""), NULL },
    { S "CSIDriver", NULL,
      SPEC("'fsGroupPolicy':'x','volumeLifecycleModes':['y'],"
           "'nodeAllocatableUpdatePeriodSeconds':5,'serviceAccountTokenInSecrets':true"),
      "[spec.fsGroupPolicy: Unsupported value: \"x\": supported values: \"File\", \"None\", "
      "\"ReadWriteOnceWithFSType\", spec.volumeLifecycleModes: Unsupported value: \"y\": supported "
      "values: \"Persistent\", \"Ephemeral\", spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: "
      "5: must be greater than or equal to 10 seconds, spec.serviceAccountTokenInSecrets: Invalid "
      "value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified]" },
    { S "CSIDriver", NULL,
      SPEC("'tokenRequests':[{'audience':'a'},{'audience':'a','expirationSeconds':5}]"),
      "spec.tokenRequests[1].audience: Duplicate value: \"a\"" },
    { S "CSIDriver", NULL, SPEC("'tokenRequests':[{'audience':'a','expirationSeconds':5}]"),
      "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less "
      "than 10 minutes" },
    { S "CSIDriver", SPEC(""), SPEC("'attachRequired':false"),
      "spec.attachedRequired: Invalid value: false: field is immutable" },
    { S "CSINode", NULL, DRIVER("{'name':'a.b','nodeID':'n','topologyKeys':['a/b']}"), NULL },
    { S "CSINode", NULL, DRIVER("{'allocatable':{'count':-1}}"),
      "[spec.drivers[0].name: Required value, spec.drivers[0].nodeID: Required value, "
      "spec.drivers[0].allocatable.count: " NEGATIVE "]" },
    { S "CSINode", NULL, DRIVER("{'name':'a','nodeID':'n'},{'name':'a','nodeID':'n'}"),
      "spec.drivers[1].name: Duplicate value: \"a\"" },
    { S "CSINode", NULL, DRIVER("{'name':'a','nodeID':'n','topologyKeys':['k','k']}"),
      "spec.drivers[0]: Duplicate value: \"k\"" },
    { S "CSINode", DRIVER("{'name':'a','nodeID':'n'}"), DRIVER("{'name':'a','nodeID':'m'}"),
      "spec.drivers: Invalid value: {\"Name\"..." },
    { S "CSINode", DRIVER("{'name':'a','nodeID':'n'}"),
      DRIVER("{'name':'a','nodeID':'n','allocatable':{'count':1}},{'name':'b','nodeID':'n'}"),
      NULL },
    { S "StorageClass", CLASS(""),
      "{" META ",'provisioner':'a/c','volumeBindingMode':'WaitForFirstConsumer'}",
      "[provisioner: Invalid value: \"a/c\": field is immutable, volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable]" },
    { S "StorageClass", NULL, CLASS(",'reclaimPolicy':''"), NULL },
    { S "StorageClass", NULL, CLASS(",'volumeBindingMode':''"),
      "volumeBindingMode: Unsupported value: \"\": supported values: \"Immediate\", \"WaitForFirstConsumer\"" },
    { S "VolumeAttachment", NULL,
      SPEC("'attacher':'" TIMES_64("a") "','nodeName':'n','source':{'persistentVolumeName':'p'}"),
      "spec.attacher: Too long: may not be more than 63 bytes" },
    { S "VolumeAttachment", NULL,
      ATTACH(
          "'inlineVolumeSpec':{'accessModes':['ReadWriteOnce'],'csi':{'driver':'d','volumeHandle':'h'}}"),
      NULL },
    { S "VolumeAttachment", ATTACHED,
      WITH_STATUS("'attached':true,'attachmentMetadata':{'k':'" X_262144 "'}"),
      "status.attachmentMetadata: Too long: may not be more than 262144 bytes", true },
    { S "VolumeAttachment", ATTACHED,
      WITH_STATUS("'attached':true,'attachmentMetadata':{'k':'v'},'detachError':{'message':'" X_1024
                  "','errorCode':5}"),
      NULL, true },
    { S "VolumeAttachment", ATTACHED,
      WITH_STATUS("'attached':false,'attachError':{'message':'x" X_1024 "'}"),
      "status.attachError.message: Too long: may not be more than 262144 bytes", true },
    { S "CSIDriver", NULL,
      SPEC(
          "'nodeAllocatableUpdatePeriodSeconds':10,'tokenRequests':[{'audience':'a','expirationSeconds':600},{'audience':'b'}]"),
      NULL },
    { S "StorageClass", NULL, CLASS(",'allowedTopologies':[{}]"),
      "allowedTopologies[0].matchLabelExpressions: Duplicate value: \"\"" },
    { S "CSIDriver", SPEC("'volumeLifecycleModes':['Persistent']"),
      SPEC("'volumeLifecycleModes':['Ephemeral']"),
      "spec.volumeLifecycleModes: Invalid value: [\"Ephemeral\"]: field is immutable" },
    { S "CSINode", NULL, DRIVER("{'name':'" TIMES_64("a") "','nodeID':'n'}"),
      "spec.drivers[0].name: Too long: may not be more than 63 bytes" },
    { S "CSIStorageCapacity", CAPACITY("c"),
      "{" META ",'storageClassName':'c','nodeTopology':{'matchLabels':{'a':'b'}}}",
      "nodeTopology: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: field is immutable" },
    { S "CSIStorageCapacity", NULL, CAPACITY("c"), NULL },
    { S "CSIStorageCapacity", NULL, CAPACITY(""),
      "storageClassName: Invalid value: \"\": a lowercase RFC 1123 subdomain..." },
    { S "CSIStorageCapacity", CAPACITY("c"), CAPACITY("d"),
      "storageClassName: Invalid value: \"d\": field is immutable" },
};

VALIDATION_TABLE(validation_storage, storage, storage)

/* Volumes that are refused and accepted, of Pods and of PersistentVolumes. */
#include "api/validation.h"

#include "api/validation_fixture.h"

static const struct validation_case sources[] = {
    { "core/v1.Pod", NULL,
      "{" META
      ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'v0','hostPath':{'path':'/a','type':'Directory'}},{'name':'v1','emptyDir':{'medium':'Memory','sizeLimit':'1Gi'}},{'name':'v2','gcePersistentDisk':{'pdName':'a','fsType':'f','partition':1}},{'name':'v3','awsElasticBlockStore':{'volumeID':'a','fsType':'f','partition':1}},{'name':'v4','gitRepo':{'repository':'r','revision':'v','directory':'d'}},{'name':'v5','secret':{'secretName':'s','items':[{'key':'k','path':'p','mode':256}],'defaultMode':256}},{'name':'v6','nfs':{'server':'s','path':'/p'}},{'name':'v7','iscsi':{'targetPortal':'p','iqn':'iqn.2015-02.example.com:test','lun':1,'iscsiInterface':'i','portals':['q'],'chapAuthSession':true,'secretRef':{'name':'s'},'initiatorName':'iqn.2015-02.example.com:init'}},{'name':'v8','glusterfs':{'endpoints':'e','path':'p'}},{'name':'v9','persistentVolumeClaim':{'claimName':'c','readOnly':true}}]}}",
      NULL },
    { "core/v1.Pod", NULL,
      "{" META
      ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'v10','rbd':{'monitors':['m'],'image':'i','pool':'p','user':'u','keyring':'k','secretRef':{'name':'s'}}},{'name':'v11','flexVolume':{'driver':'d','fsType':'f','options':{'a':'b'}}},{'name':'v12','cinder':{'volumeID':'v','secretRef':{'name':'s'}}},{'name':'v13','cephfs':{'monitors':['m'],'path':'/p','user':'u','secretFile':'f','secretRef':{'name':'s'}}},{'name':'v14','flocker':{'datasetName':'d'}},{'name':'v15','downwardAPI':{'items':[{'path':'p','fieldRef':{'fieldPath':'metadata.labels'},'mode':256},{'path':'q','resourceFieldRef':{'containerName':'c','resource':'limits.cpu','divisor':'1m'}}]}},{'name':'v16','fc':{'targetWWNs':['w'],'lun':1,'fsType':'f'}},{'name':'v17','azureFile':{'secretName':'s','shareName':'h'}},{'name':'v18','configMap':{'name':'c','items':[{'key':'k','path':'p','mode':256}],'defaultMode':256,'optional':true}},{'name':'v19','vsphereVolume':{'volumePath':'v','fsType':'f'}}]}}",
      NULL },
    { "core/v1.Pod", NULL, "{" META ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'v20','quobyte':{'registry':'r:1,s:2','volume':'v','user':'u','group':'g','tenant':'t'}},{'name':'v21','azureDisk':{'diskName':'d','diskURI':'https://x','cachingMode':'None','kind':'Shared'}},{'name':'v22','photonPersistentDisk':{'pdID':'p'}},{'name':'v23','portworxVolume':{'volumeID':'v'}},{'name':'v24','scaleIO':{'gateway':'g','system':'s','secretRef':{'name':'x'},'volumeName':'v','storageMode':'ThinProvisioned'}},{'name':'v25','storageos':{'volumeName':'v','volumeNamespace':'n','secretRef':{'name':'s'}}},{'name':'v26','csi':{'driver':'d','readOnly':true,'fsType':'f','volumeAttributes':{'a':'b'},'nodePublishSecretRef':{'name':'s'}}},{'name':'v27','ephemeral':{'volumeClaimTemplate':{'metadata':{'labels':{'a':'b'}},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}},'storageClassName':'s','volumeMode':'Filesystem'}}}},{'name':'v28','image':{'reference':'r','pullPolicy':'Always'}},{'name':'v29','projected':{'sources':[{'secret':{'name':'s','items':[{'key':'k','path':'p1'}]}},{'downwardAPI':{'items':[{'path':'p2','fieldRef':{'fieldPath':'metadata.name'}}]}},{'configMap':{'name':'c','items':[{'key':'k','path':'p3'}]}}],'defaultMode':256}}]}}",
      NULL },
    { "core/v1.Pod", NULL,
      "{" META ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'v0','hostPath':{}},{'name':'v2','gcePersistentDisk':{}},{'name':'v3','awsElasticBlockStore':{}},{'name':'v5','secret':{}},{'name':'v6','nfs':{}},{'name':'v7','iscsi':{}},{'name':'v8','glusterfs':{}},{'name':'v9','persistentVolumeClaim':{}},{'name':'v10','rbd':{}},{'name':'v11','flexVolume':{}},{'name':'v12','cinder':{}},{'name':'v13','cephfs':{}}]}}", "[spec.volumes[0].hostPath.path: Required value, spec.volumes[1].persistentDisk.pdName: Required value, spec.volumes[2].awsElasticBlockStore.volumeID: Required value, spec.volumes[3].secret.secretName: Required value, spec.volumes[4].nfs.server: Required value, spec.volumes[4].nfs.path: Required value, spec.volumes[4].nfs.path: Invalid value: \"\": must be an absolute path, spec.volumes[5].iscsi.targetPortal: Required value, spec.volumes[5].iscsi.iqn: Required value, spec.volumes[6].glusterfs.endpoints: Required value, spec.volumes[6].glusterfs.path: Required value, spec.volumes[7].persistentVolumeClaim.claimName: Required value, spec.volumes[8].rbd.monitors: Required value, spec.volumes[8].rbd.image: Required value, spec.volumes[9].flexVolume.driver: Required value, spec.volumes[10].cinder.volumeID: Required value, spec.volumes[11].cephfs.monitors: Required value]" },
    { "core/v1.Pod", NULL,
      "{" META
      ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'v14','flocker':{}},{'name':'v16','fc':{}},{'name':'v17','azureFile':{}},{'name':'v18','configMap':{}},{'name':'v19','vsphereVolume':{}},{'name':'v20','quobyte':{}},{'name':'v21','azureDisk':{}},{'name':'v22','photonPersistentDisk':{}},{'name':'v23','portworxVolume':{}},{'name':'v24','scaleIO':{}},{'name':'v25','storageos':{}},{'name':'v26','csi':{}},{'name':'v27','ephemeral':{}},{'name':'v28','image':{}}]}}",
      "[spec.volumes[0].flocker: Required value: one of datasetName and datasetUUID is required, spec.volumes[1].fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both, spec.volumes[2].azureFile.secretName: Required value, spec.volumes[2].azureFile.shareName: Required value, spec.volumes[3].configMap.name: Required value, spec.volumes[4].vsphereVolume.volumePath: Required value, spec.volumes[5].quobyte.registry: Required value: must be a host:port pair or multiple pairs separated by commas, spec.volumes[5].quobyte.volume: Required value, spec.volumes[6].azureDisk.diskName: Required value, spec.volumes[6].azureDisk.diskURI: Required value, spec.volumes[6].azureDisk.diskURI: Unsupported value: \"\": supported values: \"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd\", spec.volumes[7].photonPersistentDisk.pdID: Required value, spec.volumes[8].portworxVolume.volumeID: Required value, spec.volumes[9].scaleIO.gateway: Required value, spec.volumes[9].scaleIO.system: Required value, spec.volumes[9].scaleIO.volumeName: Required value, spec.volumes[10].storageos.volumeName: Required value, spec.volumes[11].csi.driver: Required value, spec.volumes[12].ephemeral.volumeClaimTemplate: Required value, spec.volumes[13].image.reference: Required value]" },
    { "core/v1.Pod", NULL,
      "{" META ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'a','emptyDir':{'sizeLimit':'-1'}},{'name':'b','gitRepo':{'repository':'','directory':'/x'}},{'name':'c','gcePersistentDisk':{'pdName':'p','partition':-1}},{'name':'d','awsElasticBlockStore':{'volumeID':'p','partition':256}},{'name':'e','secret':{'secretName':'s','defaultMode':-1}},{'name':'f','configMap':{'name':'s','defaultMode':512}},{'name':'g','downwardAPI':{'defaultMode':-1,'items':[{'path':'../x'}]}},{'name':'h','projected':{'defaultMode':-1,'sources':[{'secret':{},'configMap':{}},{'serviceAccountToken':{'path':'/a','expirationSeconds':1}},{'serviceAccountToken':{'path':'b','expirationSeconds':4294967297}}]}}]}}", "[spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity, spec.volumes[1].gitRepo.repository: Required value, spec.volumes[1].gitRepo.directory: Invalid value: \"/x\": must be a relative path, spec.volumes[2].persistentDisk.partition: Invalid value: -1: must be between 1 and 255, inclusive, spec.volumes[3].awsElasticBlockStore.partition: Invalid value: 256: must be between 1 and 255, inclusive, spec.volumes[4].secret.defaultMode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive, spec.volumes[5].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive, spec.volumes[6].downwardAPI.defaultMode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive, spec.volumes[6].downwardAPI.path: Invalid value: \"../x\": must not contain '..', spec.volumes[6].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required, spec.volumes[7].projected.defaultMode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive, spec.volumes[7].projected.sources[0].secret.name: Required value, spec.volumes[7].projected.sources[0].configMap.name: Required value, spec.volumes[7].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source, spec.volumes[7].projected.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes, spec.volumes[7].projected.path: Invalid value: \"/a\": must be a relative path, spec.volumes[7].projected.sources[2].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds, spec.volumes[7].projected.sources[1].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set, spec.volumes[7].projected.sources[2].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set]" },
    { "core/v1.Pod", NULL,
      "{" META
      ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'i','secret':{'secretName':'s','items':[{'key':'','path':''}]}},{'name':'j','azureDisk':{'diskName':'d','diskURI':'x','cachingMode':'x','kind':'y'}},{'name':'k','azureDisk':{'diskName':'d','diskURI':'x','kind':'Managed'}},{'name':'l','storageos':{'volumeName':'A_','volumeNamespace':'B_','secretRef':{}}},{'name':'m','csi':{'driver':'A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_','nodePublishSecretRef':{}}},{'name':'n','cinder':{'volumeID':'v','secretRef':{}}},{'name':'o','flexVolume':{'driver':'d','options':{'a.k8s.io/x':'y'}}},{'name':'p','image':{'reference':'','pullPolicy':'x'}}]}}",
      "[spec.volumes[0].secret.items[0].key: Required value, spec.volumes[0].secret.items[0].path: Required value, spec.volumes[1].azureDisk.cachingMode: Unsupported value: \"x\": supported values: \"None\", \"ReadOnly\", \"ReadWrite\", spec.volumes[1].azureDisk.kind: Unsupported value: \"y\": supported values: \"Dedicated\", \"Managed\", \"Shared\", spec.volumes[1].azureDisk.diskURI: Unsupported value: \"x\": supported values: \"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd\", spec.volumes[2].azureDisk.diskURI: Unsupported value: \"x\": supported values: \"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}\", spec.volumes[3].storageos.volumeName: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.volumes[3].storageos.volumeNamespace: Invalid value: \"B_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.volumes[3].storageos.secretRef.name: Required value, spec.volumes[4].csi.driver: Too long: may not be more than 63 bytes, spec.volumes[4].csi.driver: Invalid value: \"A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.volumes[4].csi.nodePublishSecretRef.name: Required value, spec.volumes[5].cinder.secretRef.name: Required value, spec.volumes[6].flexVolume.options[a.k8s.io/x]: Invalid value: \"a.k8s.io/x\": kubernetes.io and k8s.io namespaces are reserved, spec.volumes[7].image.reference: Required value, spec.volumes[7].image.pullPolicy: Unsupported value: \"x\": supported values: \"Always\", \"IfNotPresent\", \"Never\"]" },
    { "core/v1.Pod", NULL,
      "{" META
      ",'spec':{'containers':[{'name':'c','image':'i:1'}],'volumes':[{'name':'q','fc':{'targetWWNs':['a'],'wwids':['b']}},{'name':'r','flocker':{'datasetName':'a/b','datasetUUID':'u'}},{'name':'s','iscsi':{'targetPortal':'p','iqn':'eui.x','lun':256,'chapAuthSession':true,'initiatorName':'x'}},{'name':'t','quobyte':{'registry':'x','volume':'v'}},{'name':'u','hostPath':{'path':'/a','type':'x'}},{'name':'v','hostPath':{'path':'/a'},'nfs':{'server':'s','path':'/'}},{'name':'w','ephemeral':{'volumeClaimTemplate':{'metadata':{'name':'n'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}}}}}}]}}",
      "[spec.volumes[0].fc.targetWWNs: Invalid value: [\"a\"]: targetWWNs and wwids can not be specified simultaneously, spec.volumes[0].fc.lun: Required value: lun is required if targetWWNs is specified, spec.volumes[1].flocker: Invalid value: \"resource\": datasetName and datasetUUID can not be specified simultaneously, spec.volumes[1].flocker.datasetName: Invalid value: \"a/b\": must not contain '/', spec.volumes[2].iscsi.iqn: Invalid value: \"eui.x\": must be valid format, spec.volumes[2].iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive, spec.volumes[2].iscsi.secretRef: Required value, spec.volumes[2].iscsi.initiatorname: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa, spec.volumes[3].quobyte.registry: Invalid value: \"x\": must be a host:port pair or multiple pairs separated by commas, spec.volumes[4].hostPath.type: Unsupported value: \"x\": supported values: \"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\", spec.volumes[5].nfs: Forbidden: may not specify more than 1 volume type, spec.volumes[6].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set]" },
    { "core/v1.Pod", NULL,
      "{" META
      ",'spec':{'containers':[{'name':'c','image':'i:1'}],'serviceAccountName':'a','volumes':[{'name':'v','projected':{'sources':[{'serviceAccountToken':{'path':'p'}}]}}]}}",
      NULL },
};

VALIDATION_TABLE(validation_volumes, of_pods, sources)

static const struct validation_case persistent[] = {
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'glusterfs':{'endpoints':'e','path':'p','endpointsNamespace':'n'},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'rbd':{'monitors':['m'],'image':'i','pool':'p','user':'u','keyring':'k','secretRef':{'name':'s','namespace':'n'}},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'iscsi':{'targetPortal':'p','iqn':'iqn.2015-02.example.com:test','lun':1,'iscsiInterface':'i','portals':['q'],'chapAuthSession':true,'secretRef':{'name':'s','namespace':'n'},'initiatorName':'iqn.2015-02.example.com:init'},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'cinder':{'volumeID':'v','secretRef':{'name':'s','namespace':'n'}},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'cephfs':{'monitors':['m'],'path':'/p','user':'u','secretFile':'f','secretRef':{'name':'s','namespace':'n'}},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'flexVolume':{'driver':'d','fsType':'f','options':{'a':'b'},'secretRef':{'name':'s','namespace':'n'}},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'azureFile':{'secretName':'s','shareName':'h','secretNamespace':'n'},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'scaleIO':{'gateway':'g','system':'s','secretRef':{'name':'s','namespace':'n'},'volumeName':'v','storageMode':'ThinProvisioned'},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'local':{'path':'/p','fsType':'f'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'k','operator':'In','values':['v']}]}]}},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'storageos':{'volumeName':'v','volumeNamespace':'n','secretRef':{'name':'s','namespace':'n'}},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'csi':{'driver':'d','volumeHandle':'h','readOnly':true,'fsType':'f','volumeAttributes':{'a':'b'},'controllerPublishSecretRef':{'name':'s','namespace':'n'},'nodeStageSecretRef':{'name':'s','namespace':'n'},'nodePublishSecretRef':{'name':'s','namespace':'n'},'controllerExpandSecretRef':{'name':'s','namespace':'n'},'nodeExpandSecretRef':{'name':'s','namespace':'n'}},'persistentVolumeReclaimPolicy':'Retain','storageClassName':'s'}}",
      NULL },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'glusterfs':{}}}",
      "[spec.glusterfs.endpoints: Required value, spec.glusterfs.path: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'rbd':{}}}",
      "[spec.rbd.monitors: Required value, spec.rbd.image: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'iscsi':{}}}",
      "[spec.iscsi.targetPortal: Required value, spec.iscsi.iqn: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'cinder':{}}}",
      "spec.cinder.volumeID: Required value" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'cephfs':{}}}",
      "spec.cephfs.monitors: Required value" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'flexVolume':{}}}",
      "spec.flexVolume.driver: Required value" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'azureFile':{}}}",
      "[spec.azureFile.secretName: Required value, spec.azureFile.shareName: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'scaleIO':{}}}",
      "[spec.scaleIO.gateway: Required value, spec.scaleIO.system: Required value, spec.scaleIO.volumeName: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'local':{}}}",
      "[spec.local.path: Required value, spec.nodeAffinity: Required value: Local volume requires node affinity]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'storageos':{}}}",
      "spec.storageos.volumeName: Required value" },
    { "core/v1.PersistentVolume", NULL,
      "{" META ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'csi':{}}}",
      "[spec.csi.driver: Required value, spec.csi.volumeHandle: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'glusterfs':{'endpoints':'e','path':'p','endpointsNamespace':'A_'}}}",
      "spec.glusterfs.endpointsNamespace: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'cinder':{'volumeID':'v','secretRef':{}}}}",
      "[spec.cinder.secretRef.name: Required value, spec.cinder.secretRef.namespace: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'flexVolume':{'driver':'d','options':{'kubernetes.io':'x'}}}}",
      "spec.flexVolume.options[kubernetes.io]: Invalid value: \"kubernetes.io\": kubernetes.io and k8s.io namespaces are reserved" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'storageos':{'volumeName':'A_','volumeNamespace':'B_','secretRef':{}}}}",
      "[spec.storageos.volumeName: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.storageos.volumeNamespace: Invalid value: \"B_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.storageos.secretRef.name: Required value, spec.storageos.secretRef.namespace: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'csi':{'driver':'A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_','volumeHandle':'h','nodePublishSecretRef':{'name':'A_'}}}}", "[spec.csi.driver: Too long: may not be more than 63 bytes, spec.csi.driver: Invalid value: \"A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.csi.nodePublishSecretRef.name: Invalid value: \"A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.csi.nodePublishSecretRef.namespace: Required value]" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'local':{'path':'../a'},'nodeAffinity':{}}}",
      "[spec.nodeAffinity.required: Required value: must specify required node constraints, spec.local.path: Invalid value: \"../a\": must not contain '..']" },
    { "core/v1.PersistentVolume", NULL,
      "{" META
      ",'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'iscsi':{'targetPortal':'p','iqn':'x','lun':-1}}}",
      "[spec.iscsi.iqn: Invalid value: \"x\": must be valid format, spec.iscsi.lun: Invalid value: -1: must be between 0 and 255, inclusive]" },
};

VALIDATION_TABLE(validation_volumes, persistent_ones, persistent)

/* Rows that the other tables leave alone; refusals are in the words of upstream's server. */
#include "api/validation_fixture.h"

static const struct validation_case groups[] = {
    { "storage.k8s.io/v1.VolumeAttributesClass", NULL,
      "{" META ",'driverName':'a/b/c','parameters':{'a':'b'}}",
      "driverName: Invalid value: \"a/b/c\": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')" },
    { "storage.k8s.io/v1.VolumeAttachment", NULL,
      "{" META ",'spec':{'attacher':'a_','nodeName':'n','source':{'persistentVolumeName':'p'}}}",
      "spec.attacher: Invalid value: \"a_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')" },
    { "storage.k8s.io/v1.CSIDriver", NULL,
      "{" META ",'spec':{'tokenRequests':[{'audience':'a','expirationSeconds':8589934592}]}}",
      "spec.tokenRequests[0].expirationSeconds: Invalid value: 8589934592: may not specify a duration larger than 2^32 seconds" },
    { "storage.k8s.io/v1.CSINode", NULL,
      "{" META ",'spec':{'drivers':[{'name':'a_','nodeID':'n'}]}}",
      "spec.drivers[0].name: Invalid value: \"a_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')" },
    { "resource.k8s.io/v1.ResourceClaim", NULL,
      "{" META
      ",'spec':{'devices':{'requests':[{'name':'r','firstAvailable':[{'name':'s','deviceClassName':'C'}]}]}}}",
      "spec.devices.requests[0].firstAvailable[0].deviceClassName: Invalid value: \"C\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')" },
    { "networking.k8s.io/v1.IngressClass", NULL,
      "{" META
      ",'spec':{'controller':'a.b/c','parameters':{'apiGroup':'A','kind':'k','name':'n'}}}",
      "spec.parameters.apiGroup: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')" },
    { "discovery.k8s.io/v1.EndpointSlice", NULL,
      "{" META
      ",'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1'],'hints':{'forZones':[{'name':'/'}],'forNodes':[{'name':'A'},{'name':'n'},{'name':'n'}]}}],'ports':[]}",
      "[endpoints[0].hints.forZones[0].name: Invalid value: \"/\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?'), endpoints[0].hints.forNodes[0].name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), endpoints[0].hints.forNodes[2].name: Duplicate value: \"n\"]" },
    { "discovery.k8s.io/v1.EndpointSlice", NULL,
      "{" META
      ",'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1'],'hints':{'forZones':[{'name':'0'},{'name':'1'},{'name':'2'},{'name':'3'},{'name':'4'},{'name':'5'},{'name':'6'},{'name':'7'},{'name':'8'}]}}],'ports':[]}",
      "endpoints[0].hints.forZones: Too many: 9: must have at most 8 items" },
    { "discovery.k8s.io/v1.EndpointSlice", NULL,
      "{" META
      ",'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1'],'hints':{'forNodes':[{'name':'0'},{'name':'1'},{'name':'2'},{'name':'3'},{'name':'4'},{'name':'5'},{'name':'6'},{'name':'7'},{'name':'8'}]}}],'ports':[]}",
      "endpoints[0].hints.forNodes: Too many: 9: must have at most 8 items" },
    { "discovery.k8s.io/v1.EndpointSlice", NULL,
      "{" META
      ",'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1']}],'ports':[{'port':1,'appProtocol':''}]}",
      "[ports[0].appProtocol: Invalid value: \"\": name part must be non-empty, ports[0].appProtocol: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]" },
    { "node.k8s.io/v1.RuntimeClass", NULL,
      "{" META ",'handler':'h','scheduling':{'nodeSelector':{'/':'b'}}}",
      "[scheduling.nodeSelector: Invalid value: \"/\": prefix part must be non-empty, scheduling.nodeSelector: Invalid value: \"/\": name part must be non-empty, scheduling.nodeSelector: Invalid value: \"/\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]" },
    { "node.k8s.io/v1.RuntimeClass", NULL,
      "{" META ",'handler':'h','scheduling':{'nodeSelector':{'a':'b'}}}", NULL },
    { "coordination.k8s.io/v1.Lease", NULL, SPEC("'leaseTransitions':1"), NULL },
};

VALIDATION_TABLE(validation_groups, refusals, groups)

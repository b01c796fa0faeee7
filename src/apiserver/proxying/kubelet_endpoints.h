/* Subresources that a kubelet answers: log, exec, attach and portforward of Pods, proxy of nodes.
 * The kubelet is reached at its node's address with the certificate that it knows this server by;
 * its own must be signed by the cluster's authority for that address. */
#pragma once

struct api_request;

void pod_log_connect(struct api_request *r);
void pod_exec_connect(struct api_request *r);
void pod_attach_connect(struct api_request *r);
void pod_port_forward_connect(struct api_request *r);
void node_proxy_connect(struct api_request *r);

/* proxy of Pods and Services, which goes to Pods themselves. */
void pod_proxy_connect(struct api_request *r);
void service_proxy_connect(struct api_request *r);

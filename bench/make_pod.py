"""Prints a Pod of some 3 KB as JSON; its name bears the mark that the load generator numbers."""
import json

containers = [
    {
        "name": f"c{i}",
        "image": f"registry.example/team/service-{i}:1.2.{i}",
        "command": ["/bin/service", "--listen=:8080", f"--shard={i}"],
        "ports": [{"name": "http", "containerPort": 8080 + i}],
        "env": [{"name": f"SETTING_{n}", "value": f"value-{n}-of-container-{i}"} for n in range(8)]
        + [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/service"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    }
    for i in range(2)
]
print(
    json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "bench-@@@@@@@@",
                "labels": {"app": "bench", "tier": "backend", "version": "v1", "number": "n@@@@@@@@"},
                "annotations": {"example.com/note": "made by the bench"},
            },
            "spec": {
                "containers": containers,
                "volumes": [{"name": "config", "configMap": {"name": "service-config"}}],
                "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
            },
        }
    )
)

/* What a program written against generated types looks like: it compiles, and what is wrong does not. */
import type { components, paths } from "./apps.js";
import type { components as Custom } from "./custom.js";

type Schemas = components["schemas"];
type Deployment = Schemas["io.k8s.api.apps.v1.Deployment"];
const deployment: Deployment = {
  metadata: { name: "web", labels: { app: "web" } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: "web" } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%" } },
    template: { spec: { containers: [{ name: "c", image: "i", ports: [{ containerPort: 80 }] }] } },
  },
};

type Collection = paths["/apis/apps/v1/namespaces/{namespace}/deployments"];
type Query = NonNullable<Collection["get"]["parameters"]["query"]>;
export const made: Collection["post"]["responses"][201]["content"]["application/json"] = deployment;
export const query: Query = { labelSelector: "app=web", limit: 5, watch: true };

// @ts-expect-error replicas are a number
export const text: Deployment = { spec: { replicas: "2", selector: {}, template: {} } };
// @ts-expect-error there is no such strategy
export const strategy: Deployment = { spec: { selector: {}, template: {}, strategy: { type: "Wild" } } };

type Gadget = Custom["schemas"]["com.example.codegen.v1.Gadget"];
export const gadget: Gadget = { metadata: { name: "g" }, spec: { size: 3, mode: "fast" } };
// @ts-expect-error the definition says which modes there are
export const mode: Gadget = { spec: { size: 3, mode: "slow" } };

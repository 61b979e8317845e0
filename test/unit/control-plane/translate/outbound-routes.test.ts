// Which virtual host answers for which names.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { outboundRoutes } from "../../../../src/control-plane/translate/outbound-routes.ts";
import { outboundScope } from "../../../../src/control-plane/translate/outbound-scope.ts";
import { proxyView } from "../../../../src/control-plane/translate/proxy-view.ts";
import type { VirtualHost } from "../../../../src/xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";

const NODE = { id: "", pod: "client", namespace: "shop", serviceAccount: "client", addresses: ["10.244.0.1"], labels: {}, version: "" };
const SERVICES = ["web", "api"].map(
  (name, index) => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: other }
spec: { clusterIP: 10.96.0.${index + 1}, ports: [{ name: http, port: 80 }] }
`,
);

function virtualService(name: string, spec: object): string {
  const route = [{ destination: { host: "api.other.svc.cluster.local" } }];
  const metadata = { name, namespace: "other" };
  return JSON.stringify({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata,
    spec: { http: [{ name, route }], ...spec },
  });
}

/** Of port 80, as a client in another namespace has them. */
function virtualHosts(...objects: readonly string[]): readonly VirtualHost[] {
  const snapshot = meshFromYaml([...SERVICES, ...objects].join("\n---\n"));
  const routes = outboundRoutes(snapshot, outboundScope(proxyView(snapshot, NODE)), [...snapshot.services.values()]);
  return routes.find((each) => each.name === "80")!.virtualHosts;
}
const routesOf = (hosts: readonly VirtualHost[], domain: string): (string | undefined)[] | undefined =>
  hosts.find((each) => each.domains.includes(domain))?.routes.map((each) => each.name);

describe("a virtual host", () => {
  test("of a Service keeps its names from a VirtualService that only looks like one of them", () => {
    // Not a short name: it has a dot, and so it is taken as it stands.
    const hosts = virtualHosts(virtualService("look-alike", { hosts: ["web.other", "shop.example.com"] }));
    assert.deepEqual(routesOf(hosts, "web.other"), ["default"]);
    assert.deepEqual(routesOf(hosts, "shop.example.com"), ["look-alike"]);
    const domains = hosts.flatMap((each) => each.domains);
    assert.equal(new Set(domains).size, domains.length, domains.join(" "));
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readMesh } from "../../../support/mesh-from-yaml.ts";

function virtualService(spec: string): string {
  const indented = spec.split("\n").map((each) => `  ${each}`);
  return [
    "apiVersion: networking.istio.io/v1",
    "kind: VirtualService",
    "metadata: { name: a, namespace: shop }",
    "spec:",
    ...indented,
  ].join("\n");
}

describe("a mistake in mesh YAML", () => {
  test("is reported with all others of the file, each with line, column and field", () => {
    const { problems, snapshot } = readMesh(
      virtualService(
        [
          "hosts: [payments]",
          "http:",
          "  - match:",
          "      - uri: { prefx: /a }",
          "        method: GET",
          "    fault: { abort: { httpStatus: 500 } }",
          "    timeout: 5 seconds",
          "    route:",
          "      - destination: {}",
          "        weight: '90'",
          "gateway: [mesh]",
        ].join("\n"),
      ),
    );
    assert.deepEqual(problems, [
      'input.yaml:8:18: VirtualService shop/a: spec.http[0].match[0].uri.prefx: unknown field; did you mean "prefix"?',
      "input.yaml:9:11: VirtualService shop/a: spec.http[0].match[0].method: must be of type object, not string",
      "input.yaml:10:7: VirtualService shop/a: spec.http[0].fault: is not supported yet",
      'input.yaml:11:7: VirtualService shop/a: spec.http[0].timeout: "5 seconds" is not a duration; write it as "1.5s" or "100ms"',
      "input.yaml:13:11: VirtualService shop/a: spec.http[0].route[0].destination.host: is required",
      "input.yaml:14:11: VirtualService shop/a: spec.http[0].route[0].weight: must be a whole number",
      'input.yaml:15:3: VirtualService shop/a: spec.gateway: unknown field; did you mean "gateways"?',
    ]);
    assert.equal(snapshot.virtualServices.size, 0);
  });

  for (const [what, text, expected] of [
    [
      "a route without action",
      virtualService("hosts: [a]\nhttp: [{ timeout: 1s }]"),
      /spec\.http\[0\]: must have exactly one of route, redirect and directResponse$/,
    ],
    [
      "a tls route for any server name",
      virtualService("hosts: [a]\ntls: [{ match: [{ port: 443 }], route: [{ destination: { host: a } }] }]"),
      /spec\.tls\[0\]\.match\[0\]\.sniHosts: is required: the server names that are routed$/,
    ],
    [
      "a server name with a wildcard in its middle",
      virtualService("hosts: [a]\ntls: [{ match: [{ sniHosts: ['a.*.test'] }], route: [{ destination: { host: a } }] }]"),
      /spec\.tls\[0\]\.match\[0\]\.sniHosts\[0\]: must be a name, or \*\. and a name$/,
    ],
    [
      "weights of 0 alone",
      virtualService("hosts: [a]\nhttp: [{ route: [{ destination: { host: a }, weight: 0 }, { destination: { host: b } }] }]"),
      /spec\.http\[0\]\.route: all weights are 0$/,
    ],
    [
      "a bad pattern",
      virtualService("hosts: [a]\nhttp: [{ match: [{ uri: { regex: '(' } }], route: [{ destination: { host: a } }] }]"),
      /uri\.regex: "\(" is not a regular expression/,
    ],
    [
      "two kinds of match",
      virtualService("hosts: [a]\nhttp: [{ match: [{ uri: { exact: /a, prefix: /a } }], route: [{ destination: { host: a } }] }]"),
      /uri: has more than one of exact, prefix and regex$/,
    ],
    [
      "a gateway",
      virtualService("hosts: [a]\ngateways: [istio-system/ingress]"),
      /spec\.gateways\[0\]: gateways other than mesh are not supported yet$/,
    ],
    ["no hosts", virtualService("http: []"), /spec\.hosts: is required: the hosts/],
    [
      "an unknown retry condition",
      virtualService("hosts: [a]\nhttp: [{ retries: { retryOn: 'reset,5xy' }, route: [{ destination: { host: a } }] }]"),
      /retryOn: "5xy" is not a retry condition$/,
    ],
    [
      "a kind for later",
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: g }\n",
      /input\.yaml:2:1: Gateway default\/g: kind: Gateway is not supported yet/,
    ],
    [
      "a mistyped kind",
      "apiVersion: networking.istio.io/v1\nkind: VirtualServices\nmetadata: { name: g }\n",
      /unknown kind VirtualServices; did you mean VirtualService\?$/,
    ],
    [
      "a wrong version",
      "apiVersion: security.istio.io/v2\nkind: PeerAuthentication\nmetadata: { name: g }\n",
      /apiVersion: PeerAuthentication has no version security\.istio\.io\/v2; use one of/,
    ],
    [
      "a mode for later",
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: g }\nspec: { host: a, trafficPolicy: { tls: { mode: SIMPLE } } }\n",
      /tls\.mode: SIMPLE is not supported yet; use one of DISABLE, ISTIO_MUTUAL$/,
    ],
    [
      "a mistyped mode",
      "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: g }\nspec: { mtls: { mode: STRIKT } }\n",
      /mtls\.mode: must be one of UNSET, DISABLE, PERMISSIVE, STRICT, not "STRIKT"$/,
    ],
    [
      "ports without selector",
      "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: g }\nspec: { portLevelMtls: { 80: { mode: STRICT } } }\n",
      /portLevelMtls: needs a selector/,
    ],
    [
      "a subset defined twice",
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: g }\nspec: { host: a, subsets: [{ name: v1 }, { name: v1 }] }\n",
      /subsets\[1\]\.name: subset "v1" is defined twice$/,
    ],
    [
      "a field beside spec",
      "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: g }\nspecs: {}\n",
      /:4:1: .*specs: unknown field; did you mean "spec"\?$/,
    ],
    [
      "a Service port that is none",
      "apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: 70000 }] }\n",
      /Service default\/s: spec\.ports\[0\]\.port: must be a port from 1 to 65535$/,
    ],
    ["an object without a name", "apiVersion: v1\nkind: Service\nmetadata: {}\n", /input\.yaml:3:1: metadata\.name: is required$/],
    ["a document that is no object", "- a\n- b\n", /input\.yaml:1:1: is not an object with apiVersion and kind$/],
    [
      "an object defined twice",
      "apiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n---\napiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n",
      /input\.yaml:7:\d+: .*Namespace \/a is already defined in this file$/,
    ],
  ] as const) {
    test(`such as ${what} is named`, () => {
      const { problems } = readMesh(text);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.match(problems[0]!, expected);
    });
  }

  test("does not keep the rest of the file from being served", () => {
    const { snapshot, problems } = readMesh(
      `${virtualService("hosts: [a]\nhttp: [{}]")}\n---\napiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: 80 }] }\n`,
    );
    assert.equal(problems.length, 1);
    assert.deepEqual([...snapshot.services.keys()], ["s.default.svc.cluster.local"]);
  });
});

test("kinds that the mesh doesn't read are left alone, whatever they hold", () => {
  const { problems } = readMesh(
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: d }\nspec: { anything: 1 }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\n",
  );
  assert.deepEqual(problems, []);
});

test("a List is opened up, and its problems are located inside", () => {
  const { snapshot, problems } = readMesh(
    [
      "apiVersion: v1",
      "kind: List",
      "items:",
      "- apiVersion: v1",
      "  kind: Service",
      "  metadata: { name: s }",
      "  spec: { ports: [{ port: 80 }] }",
      "- apiVersion: v1",
      "  kind: Service",
      "  metadata: { name: t }",
      "  spec: { ports: [{ port: 0 }] }",
    ].join("\n"),
  );
  assert.deepEqual([...snapshot.services.keys()], ["s.default.svc.cluster.local"]);
  assert.match(problems[0]!, /^input\.yaml:11:\d+: Service default\/t: spec\.ports\[0\]\.port/);
});

test("a field that is null counts as absent", () => {
  assert.deepEqual(
    readMesh(virtualService("hosts: [a]\nexportTo:\nhttp:\n  - match:\n    route: [{ destination: { host: a } }]")).problems,
    [],
  );
});

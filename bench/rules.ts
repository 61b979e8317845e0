// What every rich proxy of the benchmark does to a request: the same routing rules and header edits for meshctl and for
// the haproxy that is configured like it. Only the last rule fits the request that is sent, so all eleven are tried.

export interface Rule {
  readonly name: string;
  readonly prefix: string;
  /** A request header (lower case) that must have this very value; `:method` for the method. */
  readonly header?: { readonly name: string; readonly value: string };
}

export const RULES: readonly Rule[] = [
  { name: "rule-1", prefix: "/admin" },
  { name: "rule-2", prefix: "/static/", header: { name: "x-cdn", value: "edge" } },
  { name: "rule-3", prefix: "/api/v2/" },
  { name: "rule-4", prefix: "/api/v1/items", header: { name: "x-canary", value: "true" } },
  { name: "rule-5", prefix: "/api/v1/items", header: { name: "x-tenant", value: "blue" } },
  { name: "rule-6", prefix: "/api/v1/orders" },
  { name: "rule-7", prefix: "/api/v1/users" },
  { name: "rule-8", prefix: "/api/v1/items", header: { name: ":method", value: "POST" } },
  { name: "rule-9", prefix: "/api/v1/items/search" },
  { name: "rule-10", prefix: "/api/", header: { name: "x-debug", value: "1" } },
  { name: "rule-11", prefix: "/" },
];

export const REQUEST = { host: "shop.bench", path: "/api/v1/items/42" } as const;
export const MATCHING_RULE = "rule-11";

/** Virtual hosts beside REQUEST.host; a proxy must tell them apart by the Host header. */
export const OTHER_HOSTS: readonly string[] = ["orders.bench", "users.bench", "payments.bench", "search.bench", "*.internal.bench"];

export const REQUEST_HEADERS = {
  set: [
    { name: "x-bench-team", value: "shop" },
    { name: "x-bench-zone", value: "zone-a" },
  ],
  remove: ["x-internal-debug"],
  /** Set to the name of the rule that matched; the origin answers what it saw of it. */
  ruleHeader: "x-bench-rule",
} as const;

export const RESPONSE_HEADERS = {
  set: [
    { name: "x-served-by", value: "mesh" },
    { name: "x-frame-options", value: "deny" },
  ],
  remove: ["x-powered-by"],
} as const;

/** What the origin answers. */
export const BODY = JSON.stringify({
  id: 42,
  name: "a thing that is sold",
  price: { amount: "12.50", currency: "EUR" },
  stock: [3, 0, 7],
  tags: ["new", "blue"],
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseWorkloadArgument, resolveWorkload, type Inventory, type PodFacts } from "../../../src/cli/workload.ts";
import { UserError } from "../../../src/common/user-error.ts";

const pod = (name: string, namespace: string, owner: string, ready = true, kind = "Deployment"): PodFacts => ({
  name,
  namespace,
  ready,
  owner: { kind, name: owner },
});

const INVENTORY: Inventory<PodFacts> = {
  pods: [
    pod("checkout-7d-b", "shop", "checkout"),
    pod("checkout-7d-a", "shop", "checkout", false),
    pod("checkout-7d-c", "shop", "checkout"),
    pod("db-0", "shop", "db", true, "StatefulSet"),
    pod("toolbox", "shop", "toolbox", true, "Pod"),
    pod("web-1", "shop", "web"),
    pod("web-1", "blog", "web"),
    pod("cache-1", "blog", "cache", false),
    pod("mail", "blog", "mail", true, "Pod"),
    pod("mail-1", "blog", "mail"),
  ],
  services: [
    { name: "payments", namespace: "shop", pods: ["checkout-7d-c", "db-0"] },
    { name: "web", namespace: "blog", pods: ["mail-1"] },
    { name: "empty", namespace: "shop", pods: [] },
  ],
};

function resolve(text: string, namespace?: string): string {
  const found = resolveWorkload(parseWorkloadArgument(text, namespace), INVENTORY);
  return `${found.name}.${found.namespace}`;
}

describe("a workload argument means", () => {
  const MEANINGS: readonly (readonly [text: string, namespace: string | undefined, pod: string])[] = [
    ["checkout-7d-a", undefined, "checkout-7d-a.shop"],
    ["checkout", undefined, "checkout-7d-b.shop"],
    ["deploy/checkout.shop", undefined, "checkout-7d-b.shop"],
    ["Deployment/checkout", "shop", "checkout-7d-b.shop"],
    ["checkout.shop", "shop", "checkout-7d-b.shop"],
    ["sts/db", undefined, "db-0.shop"],
    ["svc/payments", undefined, "checkout-7d-c.shop"],
    ["payments.shop", undefined, "checkout-7d-c.shop"],
    ["web", "blog", "web-1.blog"],
    ["service/web", undefined, "mail-1.blog"],
    ["cache", undefined, "cache-1.blog"],
    ["mail", undefined, "mail.blog"],
    ["deploy/mail", undefined, "mail-1.blog"],
    ["po/toolbox", undefined, "toolbox.shop"],
  ];
  for (const [text, namespace, expected] of MEANINGS) {
    test(`${text}${namespace === undefined ? "" : ` -n ${namespace}`} → ${expected}`, () =>
      assert.equal(resolve(text, namespace), expected));
  }
});

describe("a workload argument is refused", () => {
  const REFUSALS: readonly (readonly [text: string, namespace: string | undefined, message: RegExp, hint: RegExp])[] = [
    ["web", undefined, /web is ambiguous: deployment\/web\.blog, deployment\/web\.shop/, /deployment\/web\.blog/],
    ["web-1", undefined, /web-1 is ambiguous: pod\/web-1\.blog, pod\/web-1\.shop/, /pod\/web-1\.blog/],
    ["chekout", undefined, /no pod, owner or Service named chekout/, /did you mean checkout\?/],
    ["nothing-like-it", undefined, /no pod, owner or Service named/, /running: cache\.blog, checkout\.shop/],
    ["checkout", "blog", /named checkout in namespace blog/, /there is deployment\/checkout\.shop/],
    ["deploy/db", undefined, /no Deployment named db/, /running/],
    ["svc/empty", undefined, /service\/empty\.shop has no pods/, /selector/],
    ["deplyo/checkout", undefined, /unknown kind of workload "deplyo"/, /did you mean deploy\?/],
    ["checkout.shop", "blog", /is in namespace shop, and --namespace says blog/, /leave one/],
    ["deploy/", undefined, /"deploy\/" names no workload/, /\[<kind>\/\]<name>/],
    ["checkout.", undefined, /names no workload/, /\[<kind>\/\]<name>/],
    ["a/b/c", undefined, /names no workload/, /\[<kind>\/\]<name>/],
  ];
  for (const [text, namespace, message, hint] of REFUSALS) {
    test(`${text}${namespace === undefined ? "" : ` -n ${namespace}`}`, () => {
      assert.throws(
        () => resolve(text, namespace),
        (error: unknown) => {
          assert.ok(error instanceof UserError);
          assert.match(error.message, message);
          assert.match(error.hint ?? "", hint);
          return true;
        },
      );
    });
  }
});

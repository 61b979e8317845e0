// Failures of the sidecar itself: the end of its time, and its bugs.
import { ResponseSide } from "../../../src/proxy-runtime/router/response-side.ts";
import { RouteTable } from "../../../src/proxy-runtime/router/route-table.ts";
import { HALF_OK, type FailureCase, type Lab } from "./lab.ts";

/** While this lab lives, a part of the router throws. */
function breakPart(lab: Lab, owner: typeof RouteTable.prototype | typeof ResponseSide.prototype, method: "match" | "sendData"): void {
  const parts = owner as unknown as Record<string, () => never>;
  const whole = parts[method]!;
  parts[method] = () => {
    throw new Error("this is a bug");
  };
  lab.onEnd(() => void (parts[method] = whole));
}

export const OWN_CASES: readonly FailureCase[] = [
  {
    cause: "draining",
    by: "client-sidecar",
    detail: /time to drain is over/,
    async provoke(lab) {
      await lab.start();
      const { client } = await lab.meet();
      await lab.plane.stop();
      return client.untilEnd();
    },
  },
  {
    cause: "drainingMidway",
    by: "client-sidecar",
    reply: "none",
    loggedStatus: 200,
    async provoke(lab) {
      await lab.start();
      const { client, host } = await lab.meet();
      host.write(HALF_OK);
      await client.receives("half");
      await lab.plane.stop();
      return undefined;
    },
  },
  {
    cause: "internalError",
    by: "client-sidecar",
    detail: /this is a bug/,
    stats: ["http.test.downstream_rq_5xx", "meshctl.internal_errors"],
    async provoke(lab) {
      await lab.start();
      breakPart(lab, RouteTable.prototype, "match");
      return lab.ask();
    },
  },
  {
    cause: "internalErrorMidway",
    by: "client-sidecar",
    reply: "none",
    loggedStatus: 200,
    stats: ["meshctl.internal_errors"],
    async provoke(lab) {
      await lab.start();
      breakPart(lab, ResponseSide.prototype, "sendData");
      const { client, host } = await lab.meet();
      host.write(HALF_OK);
      await client.untilEnd();
      return undefined;
    },
  },
];

// Large bodies through the mesh, down and up: what encrypting, framing and passing on bytes costs, with backpressure on.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../lab.ts";
import { MEGABYTES } from "../load/load.ts";
import { wrk } from "../load/wrk.ts";
import { makePlace, startHaproxyPair, startMeshctlPair } from "../pairs.ts";
import type { Scenario } from "./scenario.ts";

const BODY_BYTES = 1024 * 1024;

export const bulk: Scenario = {
  name: "bulk",
  summary: "bodies of 1 MB through client, sidecar, mTLS, sidecar, server",
  connections: [8],
  bars: [{ peer: "haproxy", atLeast: 0.9 }],
  async start(lab, { cpuprof, peersOnly }) {
    const filesFolder = join(lab.folder, "files");
    mkdirSync(filesFolder);
    // Not one letter over and over: nothing on the way could make it smaller, but nobody should have to wonder.
    writeFileSync(join(filesFolder, "bulk"), Buffer.from(Array.from({ length: BODY_BYTES }, (_, index) => (index * 2_654_435_761) >>> 24)));
    const [uploadPort] = await freePorts(1);
    const place = await makePlace(lab, { filesFolder, uploadPort: uploadPort! });
    const haproxy = await startHaproxyPair(place, "haproxy", false);
    const post = lab.write("upload.lua", `wrk.method = "POST"\nwrk.body = string.rep("0123456789abcdef", ${BODY_BYTES / 16})\n`);
    const megabytes = { unit: MEGABYTES, perRequest: BODY_BYTES / 1e6 };
    return {
      chains: peersOnly ? [haproxy] : [await startMeshctlPair(place, cpuprof), haproxy],
      loads: [
        wrk({ name: "download", path: "/files/bulk", ...megabytes }),
        wrk({ name: "upload", path: "/upload", script: post, ...megabytes }),
      ],
    };
  },
};

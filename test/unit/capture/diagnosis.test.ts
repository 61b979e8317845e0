import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainFailure, requireKnownOwners } from "../../../src/capture/diagnosis.ts";
import { backendOrder } from "../../../src/capture/iptables-backend.ts";
import type { BackendState } from "../../../src/capture/iptables-backend.ts";
import { hasIpv6, parseIfInet6 } from "../../../src/capture/pod-addresses.ts";
import { parseSave } from "../../../src/capture/rules/saved-rules.ts";

describe("a failure of iptables", () => {
  const table: readonly (readonly [string, string, RegExp, RegExp])[] = [
    [
      "nf_tables without rights",
      "iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n",
      /refused by the kernel: Could not fetch|NET_RAW/,
      /user namespace|NET_RAW/,
    ],
    [
      "a lock that can't be written",
      "Fatal: can't open lock file /run/xtables.lock: Permission denied\n",
      /can't use its lock file/,
      /\/run/,
    ],
    [
      "a missing match",
      "iptables-nft-restore: line 5 failed: No chain/target/match by that name.\n",
      /kernel lacks modules.*line 5/,
      /modprobe/,
    ],
    [
      "a missing table",
      "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat'\n\nError occurred at line: 1\n",
      /kernel lacks modules/,
      /iptable_nat/,
    ],
  ];
  for (const [title, stderr, message, hint] of table) {
    test(`names ${title}`, () => {
      const error = explainFailure("iptables-restore", stderr);
      assert.match(error.message, message);
      assert.match(error.hint ?? "", hint);
    });
  }
});

describe("the sidecar's user and group", () => {
  const maps = { uid: "0 1000 1\n1 100000 65536\n", gid: "         0          0 4294967295\n" };

  test("may be any that the user namespace knows", () => {
    requireKnownOwners({ uids: [0, 1337, 65536], gids: [1337] }, maps);
    requireKnownOwners({ uids: [1337], gids: [] }, { uid: "", gid: "" });
  });

  test("are refused when it doesn't know them", () => {
    assert.throws(() => requireKnownOwners({ uids: [1337, 65537], gids: [] }, maps), /user 65537 does not exist in this user namespace/);
    assert.throws(() => requireKnownOwners({ uids: [0], gids: [1337] }, { uid: "0 0 1", gid: "0 0 1" }), /group 1337/);
  });
});

describe("the choice between nf_tables and legacy", () => {
  const empty = "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";
  const others = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n";
  const ours = "*nat\n:OUTPUT ACCEPT [0:0]\n:MESHCTL_OUTPUT - [0:0]\n-A OUTPUT -j MESHCTL_OUTPUT\nCOMMIT\n";
  const state = (kind: "nft" | "legacy", text: string, problem?: string): BackendState => ({
    backend: { kind, program: `iptables-${kind}` },
    tables: { ipv4: parseSave(text), ipv6: [] },
    problems: problem === undefined ? {} : { ipv4: problem },
  });
  const chosen = (...states: readonly BackendState[]): string | undefined => backendOrder(states)[0]?.backend.kind;

  test("is the machine's default where neither holds rules", () => {
    assert.equal(chosen(state("nft", ""), state("legacy", empty)), "nft");
    assert.equal(chosen(state("legacy", empty), state("nft", empty)), "legacy");
  });

  test("goes to the one that holds others' rules, nf_tables before legacy", () => {
    assert.equal(chosen(state("nft", ""), state("legacy", others)), "legacy");
    assert.equal(chosen(state("legacy", others), state("nft", others)), "nft");
  });

  test("goes to the one that holds our rules, whatever the other holds", () => {
    assert.equal(chosen(state("nft", others), state("legacy", ours)), "legacy");
  });

  test("avoids the one that can't be read", () => {
    assert.equal(chosen(state("nft", "", "not supported"), state("legacy", "")), "legacy");
  });

  test("is refused when both hold our rules", () => {
    assert.throws(() => chosen(state("nft", ours), state("legacy", ours)), /both in iptables-nft and in iptables-legacy/);
  });
});

describe("IPv6 of a pod", () => {
  const line = (digits: string, scope: string, device: string): string => `${digits} 02 40 ${scope} 80 ${device}`;
  const of = (...lines: readonly string[]): boolean => hasIpv6(parseIfInet6(`${lines.join("\n")}\n`));

  test("is an address that is neither on lo nor link-local", () => {
    assert.equal(of(line("fd000000000000000000000000000002", "00", "    eth0")), true);
    assert.equal(of(line("fe80000000000000000000000000000a", "20", "eth0"), line("00000000000000000000000000000001", "10", "lo")), false);
    assert.equal(of(line("00000000000000000000000000000006", "80", "lo")), false);
    assert.equal(hasIpv6(parseIfInet6("")), false);
  });
});

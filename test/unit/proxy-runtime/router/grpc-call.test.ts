// When the messages of a long gRPC call are reported.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GrpcCall } from "../../../../src/proxy-runtime/router/grpc-call.ts";
import { StreamInfo } from "../../../../src/proxy-runtime/telemetry/stream-info.ts";
import { Timers, type TimerEntry } from "../../../../src/proxy-runtime/transport/timers.ts";

const MESSAGE = Buffer.from([0, 0, 0, 0, 1, 120]);

class HandTimers extends Timers {
  armed: TimerEntry | undefined = undefined;
  override arm(entry: TimerEntry, durationMs: number): void {
    super.arm(entry, durationMs);
    this.armed = entry;
  }
  override disarm(entry: TimerEntry): void {
    super.disarm(entry);
    if (this.armed === entry) this.armed = undefined;
  }
  /** Lets the time pass. */
  fire(): void {
    const entry = this.armed!;
    this.disarm(entry);
    entry.owner.onTimer(entry.kind);
  }
}

function call() {
  const timers = new HandTimers();
  const reports: number[][] = [];
  const onMessages = (info: StreamInfo): void => void reports.push([info.requestMessages, info.responseMessages]);
  const connection = { id: 1, remoteAddress: "", localAddress: "", tlsVersion: "", peer: undefined, localUri: "", serverName: "" };
  const info = new StreamInfo(connection, 0);
  return { timers, reports, info, grpc: new GrpcCall({ timers, onMessages }, info) };
}

test("a call of one message each way is reported at its end only", () => {
  const { timers, info, grpc } = call();
  grpc.onRequestData(MESSAGE);
  grpc.onResponseData(MESSAGE);
  assert.equal(timers.armed, undefined);
  grpc.end();
  assert.deepEqual([info.requestMessages, info.responseMessages], [1, 1]);
});

test("a stream is reported while it moves, each message once", () => {
  const { timers, reports, info, grpc } = call();
  grpc.onRequestData(MESSAGE);
  for (let each = 0; each < 3; each += 1) grpc.onResponseData(MESSAGE);
  timers.fire();
  // Nothing moves: nothing is waited for.
  assert.equal(timers.armed, undefined);
  grpc.onResponseData(MESSAGE.subarray(0, 3));
  timers.fire();
  grpc.onResponseData(MESSAGE.subarray(3));
  grpc.end();
  assert.deepEqual(reports, [
    [1, 3],
    [0, 0],
  ]);
  assert.deepEqual([info.requestMessages, info.responseMessages, timers.armed], [0, 1, undefined]);
});

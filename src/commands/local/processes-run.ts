// The hidden commands: processes that a local mesh starts of itself.
import type { RunCommand } from "../../cli/command.ts";
import { runInContainer } from "../../local/pod/container-exec.ts";
import { parseForward, startForwarder } from "../../local/publish/forwarder.ts";
import { runPublisher } from "../../local/publish/publisher.ts";
import { runSupervisor } from "../../local/supervisor.ts";

export const runSupervisorProcess: RunCommand = async ({ args }) => {
  try {
    await runSupervisor(args[0] ?? "");
  } catch (error) {
    process.stderr.write(`meshctl: the supervisor failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
  // Timers of pods that were being started may still be pending.
  process.exit(0);
};

export const runPublisherProcess: RunCommand = async ({ args }) => {
  await runPublisher(args[0] ?? "");
  process.exit(0);
};

export const runForwardProcess: RunCommand = async ({ args }) => {
  for (const each of args) await startForwarder(parseForward(each));
  await new Promise(() => undefined);
};

export const runEnterProcess: RunCommand = ({ args: [pid, ...rest] }) =>
  runInContainer(Number(pid), rest[0] === "--" ? rest.slice(1) : rest);

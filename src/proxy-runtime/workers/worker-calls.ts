// What the main thread and a worker say to each other. All of it is structured-cloneable; messages keep their order.
import type { WorkerNumber } from "../listener/listener.ts";
import type { PageSeries } from "../telemetry/stats-store.ts";
import type { WorkloadFacts } from "../telemetry/workload-facts.ts";
import type { ConfigChange } from "./config-change.ts";
import type { DataHalf, ListenFailure } from "./data-half.ts";

/** Ports that the system chose, by listener, in the order of its addresses: every worker binds the same ones. */
export type ListenerPorts = ReadonlyMap<string, readonly number[]>;

export interface Applied {
  readonly failures: readonly ListenFailure[];
  /** Of listeners that are configured with port 0. */
  readonly ports: ListenerPorts;
}

/** What a worker answers: the data half, and what follows from it being elsewhere. */
export interface WorkerCalls extends Omit<DataHalf, "apply"> {
  apply(change: ConfigChange, ports: ListenerPorts): Promise<Applied>;
  /** Answered after everything that was posted before, so that series and counts are known. */
  settle(): Promise<void>;
  resetCounters(): Promise<void>;
}

export type WorkerMethod = keyof WorkerCalls;
export type AnswerTo<M extends WorkerMethod> = Awaited<ReturnType<WorkerCalls[M]>>;

/** Given to a worker when it starts. */
export interface WorkerData {
  /** Where it counts. */
  readonly page: SharedArrayBuffer;
  readonly workload: WorkloadFacts;
  readonly worker: WorkerNumber;
}

/** What a call threw; `hint` belongs to a UserError. */
export interface CallError {
  readonly isUserError: boolean;
  readonly message: string;
  readonly hint: string | undefined;
}

export type LogLevel = "debug" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

export type ToWorker =
  | { readonly kind: "call"; readonly id: number; readonly method: WorkerMethod; readonly args: readonly unknown[] }
  | { readonly kind: "written"; readonly id: number; readonly failed: boolean };

export type FromWorker =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: CallError }
  | { readonly kind: "series"; readonly series: readonly PageSeries[] }
  | { readonly kind: "log"; readonly level: LogLevel; readonly message: string; readonly fields: LogFields }
  /** Access log lines for standard output or error. */
  | { readonly kind: "write"; readonly id: number; readonly fd: number; readonly block: Uint8Array };

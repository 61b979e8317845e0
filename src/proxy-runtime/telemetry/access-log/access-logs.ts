// All access logs of the proxy: one open file per path, one compiled format per configuration. Listeners ask for their
// loggers when they are made; without configured logs nothing here runs.
import type { AccessLogConfig } from "../../config/access-log-config.ts";
import type { StatsStore } from "../stats-store.ts";
import type { StreamInfo } from "../stream-info.ts";
import { compileJson, compileText, DEFAULT_FORMAT } from "./format.ts";
import { LogFile, LogFileStats } from "./log-file.ts";
import type { WriteBlock } from "./write-whole.ts";

export type AccessLogger = (info: StreamInfo) => void;

export class AccessLogs {
  readonly #store: StatsStore;
  readonly #files = new Map<string, LogFile>();
  readonly #writeStandard: WriteBlock | undefined;
  #stats: LogFileStats | undefined = undefined;

  /** @param writeStandard writes what goes to standard output and error, where this thread shares them. */
  constructor(store: StatsStore, writeStandard?: WriteBlock) {
    this.#store = store;
    this.#writeStandard = writeStandard;
  }

  /**
   * A function to call once per finished stream, after endedAt is set and while its headers are still there.
   * The format has passed the decoder (config/decode-access-log.ts).
   *
   * @throws UserError where the file can't be opened.
   */
  logger({ path, format }: AccessLogConfig): AccessLogger {
    const line =
      format === undefined ? compileText(DEFAULT_FORMAT) : format.kind === "text" ? compileText(format.text) : compileJson(format.json);
    const file = this.#file(path);
    return (info) => file.write(line(info));
  }

  /** On SIGUSR1 and /reopen_logs. */
  reopen(): void {
    for (const file of this.#files.values()) file.reopen();
  }

  /** Writes what is left, within a second; no line is taken after it. */
  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()));
  }

  #file(path: string): LogFile {
    let file = this.#files.get(path);
    if (file === undefined) {
      this.#stats ??= new LogFileStats(this.#store);
      file = new LogFile(path, this.#stats, this.#writeStandard);
      this.#files.set(path, file);
    }
    return file;
  }
}

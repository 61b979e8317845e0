// Keeps Debian packages from starting their daemons while they are installed. invoke-rc.d asks /usr/sbin/policy-rc.d
// (Debian policy 9.3.3, exit code 101: not allowed), so ours stands there meanwhile, and afterwards whatever was there.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

const OURS = "#!/bin/sh\n# Put here by meshctl while it installs packages; removed when that is done.\nexit 101\n";

export class ServiceStarts {
  readonly #policy: string;
  readonly #saved: string;

  /** @param policy where the script stands; the tests give another path. */
  constructor(policy = "/usr/sbin/policy-rc.d") {
    this.#policy = policy;
    this.#saved = `${policy}.before-meshctl`;
  }

  /** Runs `work` with service starts denied. SIGINT and SIGTERM put the policy back before they end the process. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const onSignal = (signal: NodeJS.Signals): void => {
      this.#allow();
      process.exit(signal === "SIGINT" ? 130 : 143);
    };
    process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
    this.#deny();
    try {
      return await work();
    } finally {
      this.#allow();
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    }
  }

  #deny(): void {
    // Ours may be left over from a run that was killed; then the saved one is the machine's own.
    if (existsSync(this.#policy) && readFileSync(this.#policy, "utf8") !== OURS) renameSync(this.#policy, this.#saved);
    writeFileSync(this.#policy, OURS, { mode: 0o755 });
  }

  #allow(): void {
    if (existsSync(this.#saved)) renameSync(this.#saved, this.#policy);
    else rmSync(this.#policy, { force: true });
  }
}

export const DENY_STARTS = new ServiceStarts();

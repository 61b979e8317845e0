// A mistake that the person at the keyboard can mend. main.ts prints the message and the hint and exits 1.

/** EX_USAGE of sysexits.h: the command line itself is wrong. */
export const USAGE_EXIT_CODE = 64;

export class UserError extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  /**
   * @param message what is wrong, lower-case start, naming the file, flag or object; never a secret.
   * @param hint what to do about it, printed on a line of its own.
   * @param exitCode 1 unless the command documents another (USAGE_EXIT_CODE is kept for usage errors).
   */
  constructor(message: string, hint?: string, exitCode = 1) {
    super(message);
    this.name = "UserError";
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** As a person reads it, each line ended. */
export function userErrorText({ message, hint }: UserError): string {
  return `meshctl: ${message}\n${hint === undefined ? "" : `  ${hint}\n`}`;
}

// Why a port couldn't be opened, as a message for the person who started the control plane.
import { formatHostPort } from "../common/address.ts";
import type { HostPort } from "../common/address.ts";
import { UserError } from "../common/user-error.ts";

export function bindError(error: Error, address: HostPort, flag: string): UserError {
  const text = formatHostPort(address);
  if (/EADDRINUSE/.test(error.message))
    return new UserError(`${text} is in use by another process`, `end it, or choose another address with ${flag}`);
  if (/EACCES/.test(error.message)) return new UserError(`this user may not listen on ${text}`, `choose a port above 1023 with ${flag}`);
  return new UserError(`can't listen on ${text}: ${error.message}`, `check ${flag}`);
}

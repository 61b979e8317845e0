// What the Connection field of a message says (RFC 9110 §7.6.1), and the upgrade that it may stand for (§7.8).
import { isIgnoredOffer, isProtocol } from "../../config/upgrades.ts";
import { HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";

const CONNECTION = HeaderId["connection"];
const TE = HeaderId["te"];

/** Lower-case options of all Connection lines. */
export function connectionOptions(headers: HeaderList): string[] {
  const { ids } = headers;
  const options: string[] = [];
  for (let index = 0; index < ids.length; index += 1) {
    if (ids[index] === CONNECTION) options.push(...listMembers(headers.valueAt(index)).map((each) => each.toLowerCase()));
  }
  return options;
}

// A sender that names these would take away what frames or routes the message.
const KEPT = new Set(["close", "keep-alive", "upgrade", "te", "host", "content-length", "transfer-encoding"]);

/** Fields that Connection names go no further. */
export function removeNamed(headers: HeaderList, options: readonly string[]): void {
  for (const option of options) if (!KEPT.has(option)) headers.removeByName(option);
  if (!options.includes("te")) headers.remove(TE);
}

/**
 * The protocols that an Upgrade field offers, or the `:protocol` of an extended CONNECT, as a list in the client's own
 * case, without those that we ignore; empty for none, undefined where the text is not what the grammar allows.
 */
export function upgradeOffer(text: string): string | undefined {
  const offered = listMembers(text);
  if (!offered.every(isProtocol)) return undefined;
  return offered.filter((each) => !isIgnoredOffer(each)).join(", ");
}

/** Whether a server's 101 names nothing but protocols that its client has offered. */
export function isOffered(chosen: string | undefined, offer: string): boolean {
  const offered = offer.toLowerCase().split(", ");
  return listMembers(chosen ?? "").every((each) => offered.includes(each.toLowerCase()));
}

function listMembers(value: string): string[] {
  return value
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

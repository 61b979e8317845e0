// Whether a host keeps its connection after a response (RFC 9112 §9.3), and what its Connection field takes away.
import { HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";

const CONNECTION = HeaderId["connection"];

// A host that names these in Connection would take away what delimits its own response.
const FRAMING_OPTIONS = new Set(["", "content-length", "transfer-encoding", "upgrade", "te"]);

/** Removes what belongs to the connection; answers whether it persists. */
export function readPersistence(headers: HeaderList, minor: number): boolean {
  let closes = false;
  let keeps = minor === 1;
  for (let index = 0; index < headers.ids.length; index += 1) {
    if (headers.ids[index] !== CONNECTION) continue;
    const value = headers.valueAt(index);
    if (value === "keep-alive") {
      keeps = true;
      continue;
    }
    for (const option of value.toLowerCase().split(",")) {
      const name = option.trim();
      if (name === "close") closes = true;
      else if (name === "keep-alive") keeps = true;
      else if (!FRAMING_OPTIONS.has(name)) headers.removeByName(name);
    }
  }
  return keeps && !closes;
}

// Header additions and removals of routes, virtual hosts and weighted clusters, compiled once.
import type { HeaderEdits, HeaderValueEdit } from "../config/route-config.ts";
import { headerIdOf, UNKNOWN } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import { compileText } from "../telemetry/access-log/format.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";

type Value = string | ((info: StreamInfo) => string);

interface CompiledEdit {
  readonly id: number;
  readonly name: string;
  readonly value: Value;
  readonly action: HeaderValueEdit["action"];
}

/** Edits in the order in which they are made; empty ones cost nothing. */
export class CompiledHeaderEdits {
  readonly #removals: readonly string[];
  readonly #edits: readonly CompiledEdit[];
  readonly isEmpty: boolean;

  /** @param levels from the most specific (weighted cluster, route) to the most general (route configuration), as Envoy applies them. */
  constructor(levels: readonly HeaderEdits[]) {
    this.#removals = levels.flatMap((level) => level.remove.map((name) => name.toLowerCase()));
    this.#edits = levels.flatMap((level) =>
      level.set.map((edit) => ({
        id: headerIdOf(edit.name),
        name: edit.name,
        value: edit.value.includes("%") ? compileText(edit.value) : edit.value,
        action: edit.action,
      })),
    );
    this.isEmpty = this.#removals.length === 0 && this.#edits.length === 0;
  }

  apply(headers: HeaderList, info: StreamInfo): void {
    for (const name of this.#removals) headers.removeByName(name);
    for (const edit of this.#edits) {
      const value = typeof edit.value === "string" ? edit.value : edit.value(info);
      const present = edit.action === "append_if_exists_or_add" ? false : headers.getByName(edit.name.toLowerCase()) !== undefined;
      if (edit.action === "append_if_exists_or_add" || (edit.action === "add_if_absent" && !present)) headers.append(edit.id, edit.name, value);
      else if (edit.action === "overwrite_if_exists_or_add" || (edit.action === "overwrite_if_exists" && present)) {
        if (edit.id === UNKNOWN) headers.setByName(edit.name, value);
        else headers.set(edit.id, value);
      }
    }
  }
}

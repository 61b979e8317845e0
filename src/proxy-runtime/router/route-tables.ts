// The route configurations that listeners refer to by name (RDS), compiled. Streams take the table that is current when
// they begin.
import type { RouteConfig } from "../config/route-config.ts";
import { RouteTable } from "./route-table.ts";

export class RouteTables {
  readonly #tables = new Map<string, RouteTable>();

  get(name: string): RouteTable | undefined {
    return this.#tables.get(name);
  }

  apply(routes: ReadonlyMap<string, RouteConfig>): void {
    for (const name of [...this.#tables.keys()]) if (!routes.has(name)) this.#tables.delete(name);
    for (const config of routes.values())
      if (this.#tables.get(config.name)?.config !== config) this.#tables.set(config.name, new RouteTable(config));
  }
}

// /listeners and /memory.
import { formatAddress } from "../../common/address.ts";
import { withoutDefaults } from "./answer.ts";
import type { ListenerStatus, MemoryStatus } from "./data-plane-view.ts";

export function listenersText(listeners: readonly ListenerStatus[]): string {
  return listeners.map(({ name, ip, port }) => `${name}::${formatAddress(ip, port)}\n`).join("");
}

/** envoy.admin.v3.Listeners */
export function listenersJson(listeners: readonly ListenerStatus[]): unknown {
  return {
    listener_statuses: listeners.map(({ name, ip, port }) => ({
      name,
      local_address: { socket_address: withoutDefaults({ address: ip, port_value: port }) },
    })),
  };
}

/** envoy.admin.v3.Memory: V8's heap stands in for the allocator's. */
export function memoryJson(usage: MemoryStatus): unknown {
  return {
    allocated: String(usage.heapUsed + usage.external),
    heap_size: String(usage.heapTotal + usage.external),
    pageheap_unmapped: "0",
    pageheap_free: String(usage.heapTotal - usage.heapUsed),
    total_thread_cache: "0",
    total_physical_bytes: String(usage.rss),
  };
}

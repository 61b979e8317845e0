// Cluster IPs: every Service gets one of each family and keeps it for as long as the mesh runs.
import type { Service } from "../../manifests/kube-objects.ts";
import { AddressPool, SERVICE_RANGE, type AddressPair } from "../network/address-pool.ts";
import { keyOf } from "./manifest-set.ts";

export class ServiceAddresses {
  readonly #pool = new AddressPool(SERVICE_RANGE);
  readonly #byService = new Map<string, AddressPair>();
  readonly #hasV6: boolean;

  constructor(hasV6: boolean) {
    this.#hasV6 = hasV6;
  }

  /** The Service as an API server would return it: with its addresses. Headless and external ones stay as they are. */
  assign(service: Service): Service {
    const { clusterIP, type } = service.spec;
    if (clusterIP === "None" || type === "ExternalName") return service;
    const key = keyOf(service);
    let pair = this.#byService.get(key);
    if (pair === undefined) {
      pair = this.#pool.take();
      this.#byService.set(key, pair);
    }
    const families = this.#families(service);
    const clusterIPs = families.map((family) => (family === "IPv6" ? pair.v6 : pair.v4));
    const ipFamilyPolicy = families.length > 1 ? "PreferDualStack" : "SingleStack";
    return { ...service, spec: { ...service.spec, clusterIP: clusterIPs[0], clusterIPs, ipFamilies: families, ipFamilyPolicy } };
  }

  /** The mesh is dual stack; a Service that asks for one family gets that one. */
  #families(service: Service): string[] {
    const available = this.#hasV6 ? ["IPv4", "IPv6"] : ["IPv4"];
    const asked = (service.spec.ipFamilies ?? []).filter((family) => available.includes(family));
    if (asked.length === 0) return service.spec.ipFamilyPolicy === "SingleStack" ? ["IPv4"] : available;
    if (service.spec.ipFamilyPolicy === undefined || service.spec.ipFamilyPolicy === "SingleStack") return asked.slice(0, 1);
    return [...asked, ...available.filter((family) => !asked.includes(family))];
  }
}

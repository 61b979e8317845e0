// Addresses of a local mesh. Every mesh has a network of its own, so all use the same ranges (those of kind):
// what isn't in the sandbox can't meet them.

/** An IPv4 and an IPv6 address that share their number in both ranges. */
export interface AddressPair {
  readonly v4: string;
  readonly v6: string;
}

export interface AddressRange {
  /** First two octets, `10.244`. */
  readonly v4Prefix: string;
  /** `fd00:10:244::`, to which the number is added. */
  readonly v6Prefix: string;
}

export const POD_RANGE: AddressRange = { v4Prefix: "10.244", v6Prefix: "fd00:10:244::" };
export const SERVICE_RANGE: AddressRange = { v4Prefix: "10.96", v6Prefix: "fd00:10:96::" };
export const POD_MASK_V4 = 16;
export const POD_MASK_V6 = 64;

/** The bridge: every pod's default route, which leads nowhere. */
export const GATEWAY: AddressPair = toPair(POD_RANGE, 1);
/** What resolv.conf names; every query to it is captured and answered by the sidecar. */
export const DNS_ADDRESS = "10.96.0.10";
const DNS_NUMBER = 10;

const LAST = 0xfffe;

function toPair(range: AddressRange, number: number): AddressPair {
  return { v4: `${range.v4Prefix}.${number >> 8}.${number & 255}`, v6: `${range.v6Prefix}${number.toString(16)}` };
}

/** Gives out each address once; a returned one comes again only when the range has been gone through. */
export class AddressPool {
  readonly #range: AddressRange;
  readonly #taken = new Set<number>();
  #next = 2;

  constructor(range: AddressRange, reserved: readonly number[] = range === SERVICE_RANGE ? [1, DNS_NUMBER] : [1]) {
    this.#range = range;
    for (const number of reserved) this.#taken.add(number);
  }

  /** @throws Error when 65 thousand are in use. */
  take(): AddressPair {
    for (let tries = 0; tries <= LAST; tries++) {
      const number = this.#next;
      this.#next = number >= LAST ? 2 : number + 1;
      // .0 and .255 are legal inside a /16, but some software refuses them.
      if (this.#taken.has(number) || (number & 255) === 0 || (number & 255) === 255) continue;
      this.#taken.add(number);
      return toPair(this.#range, number);
    }
    throw new Error(`no address left in ${this.#range.v4Prefix}.0.0/16`);
  }

  /** Marks an address that someone chose himself; false when it is taken or not of this range. */
  reserve(v4: string): boolean {
    const number = this.#numberOf(v4);
    if (number === undefined || this.#taken.has(number)) return false;
    this.#taken.add(number);
    return true;
  }

  release(pair: AddressPair): void {
    const number = this.#numberOf(pair.v4);
    if (number !== undefined) this.#taken.delete(number);
  }

  #numberOf(v4: string): number | undefined {
    const [first, second, third, fourth] = v4.split(".").map(Number);
    if (`${first}.${second}` !== this.#range.v4Prefix || third === undefined || fourth === undefined) return undefined;
    return (third << 8) | fourth;
  }
}

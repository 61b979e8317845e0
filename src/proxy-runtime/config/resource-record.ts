// One resource as it came over xDS or stood in the bootstrap, for /config_dump: the wire bytes of its Any value.

export interface ResourceRecord {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  /** ms since the epoch. */
  readonly updatedAt: number;
  readonly state: "static" | "active" | "warming";
  /** Of the last rejected update of this resource. */
  readonly error: ResourceError | undefined;
}

export interface ResourceError {
  readonly details: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly at: number;
}

// A set of what is open, in an array: taking one out moves the last to its place. Not a Set: V8's links each outgrown
// table to the next, so that garbage of connections that come and go stays alive until a full collection.

/** A member says where it is; -1 while it is in no set. One set at a time. */
export interface OpenMember {
  openIndex: number;
}

export class OpenConnections<Member extends OpenMember> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: Member): void {
    if (member.openIndex >= 0) return;
    member.openIndex = this.#members.length;
    this.#members.push(member);
  }

  delete(member: Member): void {
    const members = this.#members;
    const index = member.openIndex;
    if (members[index] !== member) return;
    member.openIndex = -1;
    const last = members.pop()!;
    if (last === member) return;
    members[index] = last;
    last.openIndex = index;
  }

  /** As they are now; they may end meanwhile. */
  all(): Member[] {
    return [...this.#members];
  }
}

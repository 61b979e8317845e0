// Methods that every Buffer of Node 26 has and @types/node does not name. They skip the encoding look-up of toString
// and write, which shows on the data path. latin1Slice with a negative start throws.
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number, length?: number): number;
}

/** Async shells take their source over: using it by itself afterwards is an error. */

const adopted = new WeakSet<object>();

/** Marks `source` as taken over. */
export function adopt(source: object): void {
  adopted.add(source);
}

/** Throws TypeError when an async shell or stream has taken `source` over. */
export function assertNotAdopted(source: object): void {
  if (adopted.has(source)) throw new TypeError(`this ${source.constructor.name} belongs to an async shell now: use the shell`);
}

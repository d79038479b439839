/** What the tests use of node-red-node-test-helper, which has no types. */
declare module 'node-red-node-test-helper' {
  interface Response {
    status: number;
    type: string;
    body: unknown;
  }
  interface Request extends PromiseLike<Response> {
    send(body: string | object): Request;
    query(parameters: object): Request;
    set(name: string, value: string): Request;
  }
  const helper: {
    init(runtimePath: string): void;
    load(modules: unknown, flow: object[]): Promise<void>;
    unload(): Promise<void>;
    startServer(done: () => void): void;
    stopServer(done: () => void): void;
    getNode(id: string): unknown;
    request(): { get(path: string): Request; post(path: string): Request };
  };
  export default helper;
}

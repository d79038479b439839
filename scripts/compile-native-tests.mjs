/** Compiles the tests of the native core, which "npm test -- native" does as well before it runs them. */
import { compileNativeTests } from './lib/native-tests.mjs';
import { main } from './lib/run.mjs';

await main(compileNativeTests);

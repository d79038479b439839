/**
 * npm run build:native: builds the addon from source into native/build/Release.
 * npm run build:native:prebuilt (--prebuilt): puts it, stripped and checked for old systems, where the package ships it.
 * --tests: compiles the tests of the native core, which "npm test -- native" does as well.
 */
import { compileNativeTests } from './lib/native-tests.mjs';
import { buildNative, makePrebuilt } from './lib/native.mjs';
import { main } from './lib/run.mjs';

await main(async () => {
  if (process.argv.includes('--tests')) return compileNativeTests();
  if (!process.argv.includes('--prebuilt')) return buildNative();
  const { file, floor } = await makePrebuilt();
  console.log(`${file} needs at most ${floor.join(', ')}`);
});

/**
 * npm run build:native: builds the addon from source into native/build/Release.
 * npm run build:native:prebuilt (--prebuilt): puts it, stripped and checked for old systems, where the package ships it.
 */
import { buildNative, makePrebuilt } from './lib/native.mjs';
import { main } from './lib/run.mjs';

await main(async () => {
  if (!process.argv.includes('--prebuilt')) return buildNative();
  const { file, floor } = await makePrebuilt();
  console.log(`${file} needs at most ${floor.join(', ')}`);
});

// node custom.mjs MODULES <objects.json: objects of KEDA and of the Prometheus Operator against their definitions, as
// MODULES has them: every value by its validator, and every name of a field by the compiler, which knows no others.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';

const DEFINITIONS = {
  ScaledObject: '@kubernetes-models/keda/keda.sh/v1alpha1',
  PodMonitor: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
};
const modules = process.argv[2];
const objects = JSON.parse(readFileSync(0, 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'custom-'));
const problems = [];
try {
  symlinkSync(join(modules, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  for (const [index, object] of objects.entries()) {
    const { kind } = object;
    const load = join(folder, `load${index}.mjs`);
    writeFileSync(load, `export { ${kind} } from '${DEFINITIONS[kind]}';\n`);
    const Model = (await import(pathToFileURL(load)))[kind];
    try {
      if (object.apiVersion !== Model.apiVersion) throw new Error(`apiVersion is not ${Model.apiVersion}`);
      new Model(object).validate();
    } catch (error) {
      problems.push(`${kind}: ${error.message}`);
    }
    writeFileSync(
      join(folder, `object${index}.ts`),
      `import type { I${kind} } from '${DEFINITIONS[kind]}';\nexport const object: I${kind} = ${JSON.stringify(object, null, 1)};\n`,
    );
  }
  const ts = createRequire(join(modules, 'package.json'))('typescript');
  const options = { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, types: [] };
  const program = ts.createProgram(objects.map((_, index) => join(folder, `object${index}.ts`)), options);
  for (const found of ts.getPreEmitDiagnostics(program)) {
    problems.push(ts.flattenDiagnosticMessageText(found.messageText, ' '));
  }
} finally {
  rmSync(folder, { recursive: true });
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 || objects.length === 0 ? 1 : 0);

// Drives an agent with the TypeScript SDK and prints what it saw, as JSON.
//
//     node sdk_client.mjs SDK DIRECTORY COMMAND...
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";

const [sdk, cwd, command, ...args] = process.argv.slice(2);
const acp = await import(sdk);
const { agent: to, client: from } = acp.methods;
const seen = { updates: [], asked: [], written: [], results: {}, elicited: 0 };

async function connected(work) {
  const child = spawn(command, args, { cwd, stdio: ["pipe", "pipe", "inherit"] });
  const stream = acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));
  const app = acp
    .client({ name: "test" })
    .onNotification(from.session.update, ({ params }) => void seen.updates.push(params.update))
    .onRequest(from.session.requestPermission, ({ params }) => {
      seen.asked.push(params.toolCall.toolCallId);
      return { outcome: { outcome: "selected", optionId: params.options[0].optionId } };
    })
    .onRequest(from.fs.readTextFile, () => ({ content: "unsaved\n" }))
    .onRequest(from.fs.writeTextFile, ({ params }) => {
      seen.written.push(params.content);
      return {};
    })
    .onRequest(from.elicitation.create, () => ({ action: "decline" }));
  await app.connectWith(stream, async (agent) => {
    seen.results.initialize = await agent.request(to.initialize, {
      protocolVersion: acp.PROTOCOL_VERSION,
      clientInfo: { name: "test", version: "1" },
      clientCapabilities: {
        fs: { readTextFile: true, writeTextFile: true },
        session: { notices: {}, compaction: {} },
        elicitation: { form: {} },
        _meta: { terminal_output: true },
      },
    });
    await work(agent);
  });
  child.stdin.end();
  await new Promise((resolve) => child.once("exit", resolve));
}

let sessionId;
const place = { cwd, mcpServers: [] };
await connected(async (agent) => {
  ({ sessionId } = await agent.request(to.session.new, place));
  const prompt = (text) => agent.request(to.session.prompt, { sessionId, prompt: [{ type: "text", text }] });
  seen.results.prompt = await prompt("go");
  seen.results.compact = await prompt("/compact");
});
seen.live = seen.updates.splice(0);
await connected(async (agent) => {
  seen.results.load = await agent.request(to.session.load, { sessionId, ...place });
  seen.replayed = seen.updates.length;
  seen.results.mode = await agent.request(to.session.setMode, { sessionId, modeId: "auto" });
  seen.results.option = await agent.request(to.session.setConfigOption, { sessionId, configId: "model", value: "o3" });
  seen.results.list = await agent.request(to.session.list, {});
  seen.results.close = await agent.request(to.session.close, { sessionId });
  seen.results.delete = await agent.request(to.session.delete, { sessionId });
});
console.log(JSON.stringify(seen));

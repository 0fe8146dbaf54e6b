// Calls the official GOV.UK Notify client for Node as it is told to on standard input: one JSON array of calls,
// {"call": name, "with": [arguments]}. Answers on standard output with what each came to, in order.
// The address and the key are the first two words of the command line.
const { NotifyClient } = require('notifications-node-client')

const [, , address, key] = process.argv
const client = new NotifyClient(address, key)

function unpacked (value) {
  // {"bytes": "…"} is a file's content, in base64.
  return value && value.bytes !== undefined ? Buffer.from(value.bytes, 'base64') : value
}

async function made (call) {
  try {
    const answer = await client[call.call](...call.with.map(unpacked))
    if (Buffer.isBuffer(answer)) return { status: 200, bytes: answer.toString('base64') }
    return answer && answer.status !== undefined && answer.headers !== undefined
      ? { status: answer.status, data: answer.data }
      : { value: answer }
  } catch (error) {
    if (error.response) return { status: error.response.status, data: error.response.data }
    return { thrown: String(error) }
  }
}

async function main () {
  const chunks = []
  for await (const chunk of process.stdin) chunks.push(chunk)
  const answers = []
  for (const call of JSON.parse(Buffer.concat(chunks).toString())) answers.push(await made(call))
  process.stdout.write(JSON.stringify(answers))
}

main()

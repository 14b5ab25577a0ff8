-- For wrk: writes to the door as the widget does, each message with a key of its own; whoever is next in the file speaks.
-- Arguments: file with one token a line, number of this run (keys of two runs must differ), first line to begin with.
local tokens, run, at, body = {}, 0, 0, '{"text": "onde está o meu pedido 1001?"}'
local head = 'POST /v1/widget/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nContent-Type: application/json\r\n'
  .. 'Authorization: Bearer '
local tail = '\r\nContent-Length: ' .. #body .. '\r\n\r\n' .. body
local key, sent = '\r\nIdempotency-Key: %08x-0000-7000-8000-%012x', 0

function init(arguments)
  for line in io.lines(arguments[1]) do tokens[#tokens + 1] = head .. line end
  run, at = tonumber(arguments[2]), tonumber(arguments[3])
end

function request()
  at, sent = at % #tokens + 1, sent + 1
  return tokens[at] .. key:format(run, sent) .. tail
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  print(string.format('wrk {"requests": %d, "refused": %d, "lost": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f}',
    summary.requests, errors.status, lost, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3))
end

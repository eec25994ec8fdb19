-- Posts the photos named after `--` in turn: wrk … -s post.lua URL -- PATH photo.jpg …
-- The last line printed is JSON; durations are in milliseconds.

local requests, next_request = {}, 1

function init(arguments)
    for index = 2, #arguments do
        local file = assert(io.open(arguments[index], "rb"))
        local headers = { ["Content-Type"] = "image/jpeg" }
        requests[#requests + 1] = wrk.format("POST", arguments[1], headers, file:read("*a"))
        file:close()
    end
end

function request()
    local chosen = requests[next_request]
    next_request = next_request % #requests + 1
    return chosen
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "errors": %d}\n',
        summary.requests, summary.duration * 1e-6, latency:percentile(50) * 1e-3, latency:percentile(99) * 1e-3,
        latency.max * 1e-3, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end

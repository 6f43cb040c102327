-- For run.sh: what to send, and one line of result.

local deposit = os.getenv("DEPOSIT")
local depth = tonumber(os.getenv("PIPELINE") or "1")
local requests

if deposit then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = '{"amount":0.01}'
end

if depth > 1 then
    function init(_)
        local one = wrk.format()
        requests = string.rep(one, depth)
    end

    function request()
        return requests
    end
end

function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format("%d %.0f %.2f %.2f %d\n",
        summary.requests,
        summary.requests / (summary.duration / 1e6),
        latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3,
        e.connect + e.read + e.write + e.status + e.timeout))
end

-- Takes whole tokens from buckets that fill steadily, or gives them back; in one step for all of them.
-- KEYS: the buckets. ARGV, three for each: tokens a second, the most it holds, tokens wanted (below zero: given back).
-- Answers two for each: tokens granted, at most as many as there are, and what is left, as text with its fraction.
-- A bucket is kept as 'tokens time' by this server's clock, and is full when there is none.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local answer = {}
for number, key in ipairs(KEYS) do
    local per_second = tonumber(ARGV[3 * number - 2])
    local burst = tonumber(ARGV[3 * number - 1])
    local wanted = tonumber(ARGV[3 * number])
    local tokens = burst
    local held, at = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
    if tonumber(held) and tonumber(at) then
        tokens = math.min(burst, tonumber(held) + math.max(0, now - tonumber(at)) * per_second)
    end
    local granted = math.min(wanted, math.floor(tokens))
    tokens = math.min(burst, tokens - granted)
    local full_in_ms = math.ceil((burst - tokens) / per_second * 1000)
    redis.call('SET', key, string.format('%.6f %.6f', tokens, now), 'PX', full_in_ms + 1000)
    answer[2 * number - 1] = granted
    answer[2 * number] = string.format('%.6f', tokens)
end
return answer

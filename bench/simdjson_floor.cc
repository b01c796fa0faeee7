// The peer of bench/codec: Debian's fastest JSON library, parsing into its own generic tree.
#include <simdjson.h>

static simdjson::dom::parser parser;

// The number of members at the top; 0 for what is not an object. Text must have SIMDJSON_PADDING bytes
// behind it.
extern "C" size_t simdjson_floor(const char *text, size_t len);
size_t simdjson_floor(const char *text, size_t len)
{
    simdjson::dom::object object;

    if (parser.parse(text, len, false).get(object) != simdjson::SUCCESS)
        return 0;
    return object.size();
}

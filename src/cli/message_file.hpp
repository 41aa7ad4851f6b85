// `facteur message show|structure|headers|trace|verify FILE`: what a person wants to know of one message.
#pragma once

#include <string>

#include "cli/context.hpp"

namespace facteur::cli {

// `file`: "-" is standard input. Whatever stands in the message, what is printed is harmless to a terminal.
int message_show(const Context& context, const std::string& file);       // As a mail program shows it.
int message_structure(const Context& context, const std::string& file);  // The tree of its parts.
int message_headers(const Context& context, const std::string& file);    // Its fields, decoded, in their order.
int message_verify(const Context& context, const std::string& file);     // Exit code 1 if there are errors.

}  // namespace facteur::cli

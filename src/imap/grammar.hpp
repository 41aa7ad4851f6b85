// The parts of the grammar, one function for each argument list; used by command_parser.cpp only.
#pragma once

#include "imap/command.hpp"
#include "imap/tokens.hpp"

namespace facteur::imap {

// Each begins behind the command's name (at the space before its arguments), and leaves the end to the caller.
bool parse_fetch(Tokens& in, FetchCommand& out);
bool parse_store(Tokens& in, StoreCommand& out);
// `badcharset` becomes true when the charset is not known: the reply is NO [BADCHARSET].
bool parse_search(Tokens& in, SearchCommand& out, bool& badcharset);
bool parse_list(Tokens& in, ListCommand& out);
bool parse_lsub(Tokens& in, ListCommand& out);
bool parse_status(Tokens& in, StatusCommand& out);
bool parse_select(Tokens& in, SelectCommand& out);

bool parse_set(Tokens& in, SequenceSet& out);
bool parse_flag_list(Tokens& in, FlagList& out);  // "(...)"
bool parse_flag(Tokens& in, FlagList& out);
bool parse_status_items(Tokens& in, std::vector<StatusItem>& out);  // "(...)"

}  // namespace facteur::imap

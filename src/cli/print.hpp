// Answers for people: tables and lines instead of JSON.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "cli/context.hpp"

namespace facteur::cli {

// Columns as wide as their widest cell, two spaces between them.
std::string table(const std::vector<std::vector<std::string>>& rows);

std::string domains(const boost::json::value& answer);
std::string accounts(const Context& context, const boost::json::value& answer);
std::string aliases(const boost::json::value& answer);
std::string domain_added(const Context& context, const boost::json::value& answer);
std::string deleted(const Context& context, const boost::json::value& answer);   // undelete list
std::string restored(const Context& context, const boost::json::value& answer);  // undelete restore
std::string queue(const Context& context, const boost::json::value& answer);
std::string queue_entry(const boost::json::value& answer);
std::string members(const boost::json::value& answer);  // "name: value" lines.

}  // namespace facteur::cli

// `facteur config check|explain|diff|example|reference` and `facteur init`.
#pragma once

#include <string>

#include "cli/context.hpp"

namespace facteur::cli {

int config_check(const Context& context);
int config_explain(const Context& context, const std::string& option);  // Empty: the names of all options.
int config_diff(const Context& context);
int config_example();
int config_reference();

struct FirstConfiguration {
  std::string hostname;
  std::string domain;
  std::string postmaster;
  std::string data;  // Empty: the default.
};
int init(const Context& context, const FirstConfiguration& first);

}  // namespace facteur::cli

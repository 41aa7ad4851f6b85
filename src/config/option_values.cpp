#include "config/option_values.hpp"

#include <utility>

#include "base/ascii.hpp"

namespace facteur::config {

namespace {

using Wrong = std::optional<std::string>;

const std::string* text_of(const Raw& raw) { return std::get_if<std::string>(&raw.value); }

std::string list_of(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const auto& item : items) out += (out.size() > 1 ? ", " : "") + item;
  return out + "]";
}

Option start(const About& about, std::string_view type) {
  Option option;
  option.name = about.name;
  option.type = type;
  option.sentence = about.sentence;
  option.rfc = about.rfc;
  option.required = about.required;
  return option;
}

// A string option whose text is judged and kept by `accept`, which says whether it was good.
Option checked_text(const About& about, std::string_view type, std::string_view expected, std::string& member,
                    std::string (*canonical)(std::string_view), bool (*good)(std::string_view)) {
  Option option = start(about, type);
  option.show = [&member] { return quoted(member); };
  option.set = [&member, expected, canonical, good](const Raw& raw) -> Wrong {
    const auto* given = text_of(raw);
    if (!given) return "must be " + std::string(expected) + " in quotes";
    std::string value = canonical(*given);
    if (!good(value)) return quoted(*given) + " is not " + std::string(expected);
    member = std::move(value);
    return std::nullopt;
  };
  return option;
}

std::string as_it_is(std::string_view text) { return std::string(text); }
bool any_text(std::string_view) { return true; }

// A list option; `one` appends one element or says what is wrong with it.
Option list(const About& about, std::string_view type, std::function<std::string()> show, std::function<void()> clear,
            std::function<Wrong(const Raw&)> one) {
  Option option = start(about, type);
  option.show = std::move(show);
  option.set = [clear = std::move(clear), one = std::move(one)](const Raw& raw) -> Wrong {
    const auto* items = std::get_if<std::vector<Raw>>(&raw.value);
    if (!items) return "must be a list: [ ..., ... ]";
    clear();
    for (const auto& item : *items) {
      if (auto wrong = one(item)) return wrong;
    }
    return std::nullopt;
  };
  return option;
}

std::optional<Duration> duration_of(const Raw& raw) {
  if (const auto* text = text_of(raw)) return parse_duration(*text);
  const auto* seconds = std::get_if<std::int64_t>(&raw.value);
  if (!seconds || *seconds < 0) return std::nullopt;
  return parse_duration(std::to_string(*seconds));
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (ascii::is_control(c)) {
      constexpr std::string_view hex = "0123456789abcdef";
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  std::size_t label = 0;
  char before = '.';
  for (const char c : text) {
    if (c == '.') {
      if (label == 0 || before == '-') return false;
      label = 0;
    } else {
      if (!ascii::is_alnum(c) && c != '-') return false;
      if (c == '-' && label == 0) return false;
      if (++label > 63) return false;  // RFC 1035 §2.3.4.
    }
    before = c;
  }
  return label > 0 && before != '-';
}

bool is_mail_address(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;  // RFC 5321 §4.5.3.1.1: 64 octets.
  for (const char c : text.substr(0, at)) {
    if (ascii::is_control(c) || c == ' ' || c == '@' || c == '"' || c == '<' || c == '>' || c == '\\') return false;
  }
  return is_host_name(text.substr(at + 1));
}

Option text(About about, std::string& member) {
  return checked_text(about, "text", "a text", member, as_it_is, any_text);
}

Option name_of_host(About about, std::string& member) {
  return checked_text(about, "host name", "a host name", member, ascii::lower, is_host_name);
}

Option mail_address(About about, std::string& member) {
  return checked_text(about, "mail address", "a mail address", member, ascii::lower, is_mail_address);
}

Option texts(About about, std::vector<std::string>& member) {
  auto show = [&member] {
    std::vector<std::string> items;
    for (const auto& item : member) items.push_back(quoted(item));
    return list_of(items);
  };
  return list(
      about, "list of texts", show, [&member] { member.clear(); },
      [&member](const Raw& raw) -> Wrong {
        const auto* given = text_of(raw);
        if (!given) return "each element must be a text in quotes";
        member.push_back(*given);
        return std::nullopt;
      });
}

Option names_of_hosts(About about, std::vector<std::string>& member) {
  Option option = texts(about, member);
  option.type = "list of host names";
  option.set = [&member, take = std::move(option.set)](const Raw& raw) -> Wrong {
    if (auto wrong = take(raw)) return wrong;
    for (auto& name : member) {
      const std::string canonical = ascii::lower(name);
      if (!is_host_name(canonical) && name != "*") return quoted(name) + " is not a domain name";
      name = canonical;
    }
    return std::nullopt;
  };
  return option;
}

Option flag(About about, bool& member) {
  Option option = start(about, "true or false");
  option.show = [&member] { return std::string(member ? "true" : "false"); };
  option.set = [&member](const Raw& raw) -> Wrong {
    const auto* given = std::get_if<bool>(&raw.value);
    if (!given) return "must be true or false, without quotes";
    member = *given;
    return std::nullopt;
  };
  return option;
}

Option number(About about, std::uint64_t& member, Range range) {
  Option option = start(about, "number");
  option.limits = std::to_string(range.least) + " to " + std::to_string(range.most);
  option.show = [&member] { return std::to_string(member); };
  option.set = [&member, range, limits = option.limits](const Raw& raw) -> Wrong {
    const auto* given = std::get_if<std::int64_t>(&raw.value);
    if (!given) return "must be a whole number, without quotes";
    if (*given < 0 || static_cast<std::uint64_t>(*given) < range.least ||
        static_cast<std::uint64_t>(*given) > range.most) {
      return std::to_string(*given) + " is outside " + limits;
    }
    member = static_cast<std::uint64_t>(*given);
    return std::nullopt;
  };
  return option;
}

Option port(About about, std::uint16_t& member) {
  Option option = start(about, "port");
  option.limits = "1 to 65535";
  option.show = [&member] { return std::to_string(member); };
  option.set = [&member](const Raw& raw) -> Wrong {
    const auto* given = std::get_if<std::int64_t>(&raw.value);
    if (!given) return "must be a port number, without quotes";
    if (*given < 1 || *given > 65535) return std::to_string(*given) + " is outside 1 to 65535";
    member = static_cast<std::uint16_t>(*given);
    return std::nullopt;
  };
  return option;
}

Option size(About about, std::uint64_t& member, Range range) {
  Option option = start(about, "size");
  option.limits = show_size(range.least) + " to " + show_size(range.most);
  option.show = [&member] { return quoted(show_size(member)); };
  option.set = [&member, range, limits = option.limits](const Raw& raw) -> Wrong {
    std::optional<std::uint64_t> octets;
    if (const auto* given = text_of(raw)) octets = parse_size(*given);
    if (const auto* given = std::get_if<std::int64_t>(&raw.value); given && *given >= 0) {
      octets = static_cast<std::uint64_t>(*given);
    }
    if (!octets) return "must be a size like \"50 MiB\" or a number of octets";
    if (*octets < range.least || *octets > range.most) return show_size(*octets) + " is outside " + limits;
    member = *octets;
    return std::nullopt;
  };
  return option;
}

Option duration(About about, Duration& member, Duration least, Duration most) {
  Option option = start(about, "duration");
  option.limits = show_duration(least) + " to " + show_duration(most);
  option.show = [&member] { return quoted(show_duration(member)); };
  option.set = [&member, least, most, limits = option.limits](const Raw& raw) -> Wrong {
    const auto given = duration_of(raw);
    if (!given) return "must be a duration like \"30s\", \"5m\", \"4h\" or \"5d\"";
    if (*given < least || *given > most) return show_duration(*given) + " is outside " + limits;
    member = *given;
    return std::nullopt;
  };
  return option;
}

Option durations(About about, std::vector<Duration>& member) {
  auto show = [&member] {
    std::vector<std::string> items;
    for (const auto& item : member) items.push_back(quoted(show_duration(item)));
    return list_of(items);
  };
  return list(
      about, "list of durations", show, [&member] { member.clear(); },
      [&member](const Raw& raw) -> Wrong {
        const auto given = duration_of(raw);
        if (!given) return "each element must be a duration like \"30s\", \"5m\" or \"4h\"";
        if (*given <= Duration::zero()) return "no element may be zero";
        member.push_back(*given);
        return std::nullopt;
      });
}

Option ip_address(About about, IpAddress& member) {
  Option option = start(about, "IP address");
  option.show = [&member] { return quoted(to_string(member)); };
  option.set = [&member](const Raw& raw) -> Wrong {
    const auto* given = text_of(raw);
    const auto address = given ? IpAddress::parse(*given) : std::nullopt;
    if (!address) return "must be an IPv4 or IPv6 address in quotes";
    member = *address;
    return std::nullopt;
  };
  return option;
}

Option ip_address(About about, std::optional<IpAddress>& member) {
  Option option = start(about, "IP address");
  option.show = [&member] { return member ? quoted(to_string(*member)) : std::string("\"\""); };
  option.set = [&member](const Raw& raw) -> Wrong {
    const auto* given = text_of(raw);
    if (given && given->empty()) {
      member.reset();
      return std::nullopt;
    }
    const auto address = given ? IpAddress::parse(*given) : std::nullopt;
    if (!address) return "must be an IPv4 or IPv6 address in quotes";
    member = *address;
    return std::nullopt;
  };
  return option;
}

Option endpoint(About about, std::optional<Endpoint>& member) {
  Option option = start(about, "address:port");
  option.show = [&member] { return member ? quoted(to_string(*member)) : std::string("\"\""); };
  option.set = [&member](const Raw& raw) -> Wrong {
    const auto* given = text_of(raw);
    if (given && given->empty()) {
      member.reset();
      return std::nullopt;
    }
    const auto endpoint = given ? Endpoint::parse(*given) : std::nullopt;
    if (!endpoint) return R"(must be like "127.0.0.1:9125" or "[::1]:9125")";
    member = *endpoint;
    return std::nullopt;
  };
  return option;
}

Option endpoints(About about, std::vector<Endpoint>& member) {
  auto show = [&member] {
    std::vector<std::string> items;
    for (const auto& item : member) items.push_back(quoted(to_string(item)));
    return list_of(items);
  };
  return list(
      about, "list of address:port", show, [&member] { member.clear(); },
      [&member](const Raw& raw) -> Wrong {
        const auto* given = text_of(raw);
        const auto endpoint = given ? Endpoint::parse(*given) : std::nullopt;
        if (!endpoint) return R"(each element must be like "127.0.0.1:53" or "[::1]:53")";
        member.push_back(*endpoint);
        return std::nullopt;
      });
}

Option choice_of(About about, std::span<const std::string_view> names, std::function<std::size_t()> get,
                 std::function<void(std::size_t)> set) {
  Option option = start(about, "choice");
  for (const auto name : names) option.limits += (option.limits.empty() ? "" : ", ") + std::string(name);
  option.show = [names, get = std::move(get)] { return quoted(names[get()]); };
  option.set = [names, set = std::move(set), limits = option.limits](const Raw& raw) -> Wrong {
    const auto* given = text_of(raw);
    for (std::size_t i = 0; given && i < names.size(); ++i) {
      if (*given != names[i]) continue;
      set(i);
      return std::nullopt;
    }
    return "must be one of: " + limits;
  };
  return option;
}

}  // namespace facteur::config

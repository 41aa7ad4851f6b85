// Character references of HTML: the named ones of HTML 4 and some newer ones, and the numeric ones.
#include <algorithm>
#include <array>
#include <cstdint>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/html.hpp"

namespace facteur::message {
namespace {

// U+00A0 to U+00FF in their order.
constexpr std::array<std::string_view, 96> latin_names = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar", "sect",   "uml",    "copy",   "ordf",
    "laquo",  "not",    "shy",    "reg",    "macr",   "deg",    "plusmn", "sup2",   "sup3",   "acute",  "micro",
    "para",   "middot", "cedil",  "sup1",   "ordm",   "raquo",  "frac14", "frac12", "frac34", "iquest", "Agrave",
    "Aacute", "Acirc",  "Atilde", "Auml",   "Aring",  "AElig",  "Ccedil", "Egrave", "Eacute", "Ecirc",  "Euml",
    "Igrave", "Iacute", "Icirc",  "Iuml",   "ETH",    "Ntilde", "Ograve", "Oacute", "Ocirc",  "Otilde", "Ouml",
    "times",  "Oslash", "Ugrave", "Uacute", "Ucirc",  "Uuml",   "Yacute", "THORN",  "szlig",  "agrave", "aacute",
    "acirc",  "atilde", "auml",   "aring",  "aelig",  "ccedil", "egrave", "eacute", "ecirc",  "euml",   "igrave",
    "iacute", "icirc",  "iuml",   "eth",    "ntilde", "ograve", "oacute", "ocirc",  "otilde", "ouml",   "divide",
    "oslash", "ugrave", "uacute", "ucirc",  "uuml",   "yacute", "thorn",  "yuml"};

struct Named {
  std::string_view name;
  char16_t code;
};
constexpr Named others[] = {
    {"quot", 0x22},     {"amp", 0x26},      {"lt", 0x3c},       {"gt", 0x3e},       {"apos", 0x27},
    {"QUOT", 0x22},     {"AMP", 0x26},      {"LT", 0x3c},       {"GT", 0x3e},       {"OElig", 0x152},
    {"oelig", 0x153},   {"Scaron", 0x160},  {"scaron", 0x161},  {"Yuml", 0x178},    {"fnof", 0x192},
    {"circ", 0x2c6},    {"tilde", 0x2dc},   {"Alpha", 0x391},   {"Beta", 0x392},    {"Gamma", 0x393},
    {"Delta", 0x394},   {"Epsilon", 0x395}, {"Zeta", 0x396},    {"Eta", 0x397},     {"Theta", 0x398},
    {"Iota", 0x399},    {"Kappa", 0x39a},   {"Lambda", 0x39b},  {"Mu", 0x39c},      {"Nu", 0x39d},
    {"Xi", 0x39e},      {"Omicron", 0x39f}, {"Pi", 0x3a0},      {"Rho", 0x3a1},     {"Sigma", 0x3a3},
    {"Tau", 0x3a4},     {"Upsilon", 0x3a5}, {"Phi", 0x3a6},     {"Chi", 0x3a7},     {"Psi", 0x3a8},
    {"Omega", 0x3a9},   {"alpha", 0x3b1},   {"beta", 0x3b2},    {"gamma", 0x3b3},   {"delta", 0x3b4},
    {"epsilon", 0x3b5}, {"zeta", 0x3b6},    {"eta", 0x3b7},     {"theta", 0x3b8},   {"iota", 0x3b9},
    {"kappa", 0x3ba},   {"lambda", 0x3bb},  {"mu", 0x3bc},      {"nu", 0x3bd},      {"xi", 0x3be},
    {"omicron", 0x3bf}, {"pi", 0x3c0},      {"rho", 0x3c1},     {"sigmaf", 0x3c2},  {"sigma", 0x3c3},
    {"tau", 0x3c4},     {"upsilon", 0x3c5}, {"phi", 0x3c6},     {"chi", 0x3c7},     {"psi", 0x3c8},
    {"omega", 0x3c9},   {"ensp", 0x2002},   {"emsp", 0x2003},   {"thinsp", 0x2009}, {"zwnj", 0x200c},
    {"zwj", 0x200d},    {"ndash", 0x2013},  {"mdash", 0x2014},  {"lsquo", 0x2018},  {"rsquo", 0x2019},
    {"sbquo", 0x201a},  {"ldquo", 0x201c},  {"rdquo", 0x201d},  {"bdquo", 0x201e},  {"dagger", 0x2020},
    {"Dagger", 0x2021}, {"bull", 0x2022},   {"hellip", 0x2026}, {"permil", 0x2030}, {"prime", 0x2032},
    {"Prime", 0x2033},  {"lsaquo", 0x2039}, {"rsaquo", 0x203a}, {"oline", 0x203e},  {"frasl", 0x2044},
    {"euro", 0x20ac},   {"image", 0x2111},  {"weierp", 0x2118}, {"real", 0x211c},   {"trade", 0x2122},
    {"larr", 0x2190},   {"uarr", 0x2191},   {"rarr", 0x2192},   {"darr", 0x2193},   {"harr", 0x2194},
    {"lArr", 0x21d0},   {"rArr", 0x21d2},   {"forall", 0x2200}, {"part", 0x2202},   {"exist", 0x2203},
    {"empty", 0x2205},  {"nabla", 0x2207},  {"isin", 0x2208},   {"notin", 0x2209},  {"ni", 0x220b},
    {"prod", 0x220f},   {"sum", 0x2211},    {"minus", 0x2212},  {"lowast", 0x2217}, {"radic", 0x221a},
    {"prop", 0x221d},   {"infin", 0x221e},  {"ang", 0x2220},    {"and", 0x2227},    {"or", 0x2228},
    {"cap", 0x2229},    {"cup", 0x222a},    {"int", 0x222b},    {"there4", 0x2234}, {"sim", 0x223c},
    {"cong", 0x2245},   {"asymp", 0x2248},  {"ne", 0x2260},     {"equiv", 0x2261},  {"le", 0x2264},
    {"ge", 0x2265},     {"sub", 0x2282},    {"sup", 0x2283},    {"nsub", 0x2284},   {"sube", 0x2286},
    {"supe", 0x2287},   {"oplus", 0x2295},  {"otimes", 0x2297}, {"perp", 0x22a5},   {"sdot", 0x22c5},
    {"lceil", 0x2308},  {"rceil", 0x2309},  {"lfloor", 0x230a}, {"rfloor", 0x230b}, {"lang", 0x27e8},
    {"rang", 0x27e9},   {"loz", 0x25ca},    {"spades", 0x2660}, {"clubs", 0x2663},  {"hearts", 0x2665},
    {"diams", 0x2666},  {"check", 0x2713},  {"star", 0x2606},   {"phone", 0x260e},  {"Tab", 0x9},
    {"NewLine", 0xa},   {"excl", 0x21},     {"num", 0x23},      {"dollar", 0x24},   {"percnt", 0x25},
    {"lpar", 0x28},     {"rpar", 0x29},     {"ast", 0x2a},      {"plus", 0x2b},     {"comma", 0x2c},
    {"period", 0x2e},   {"sol", 0x2f},      {"colon", 0x3a},    {"semi", 0x3b},     {"equals", 0x3d},
    {"quest", 0x3f},    {"commat", 0x40},   {"lsqb", 0x5b},     {"bsol", 0x5c},     {"rsqb", 0x5d},
    {"lowbar", 0x5f},   {"grave", 0x60},    {"lcub", 0x7b},     {"verbar", 0x7c},   {"rcub", 0x7d}};

constexpr std::size_t longest_name = 8;

char32_t code_of_name(std::string_view name) {
  const auto latin = std::ranges::find(latin_names, name);
  if (latin != latin_names.end()) return 0xa0 + static_cast<char32_t>(latin - latin_names.begin());
  for (const auto& one : others) {
    if (one.name == name) return one.code;
  }
  return 0;
}

CharacterReference numeric(std::string_view text) {
  const bool hex = text.size() > 2 && (text[2] == 'x' || text[2] == 'X');
  std::size_t i = hex ? 3 : 2;
  const std::size_t start = i;
  char32_t code = 0;
  for (; i < text.size() && i - start < 16; ++i) {
    const char c = ascii::to_lower(text[i]);
    if (!(hex ? ascii::is_hex(c) : ascii::is_digit(c))) break;
    const unsigned digit = static_cast<unsigned>(ascii::is_digit(c) ? c - '0' : c - 'a' + 10);
    code = code > 0x110000 ? code : code * (hex ? 16 : 10) + digit;
  }
  if (i == start) return {};
  CharacterReference entity;
  entity.length = i < text.size() && text[i] == ';' ? i + 1 : i;
  append_character(entity.characters, code);
  return entity;
}

}  // namespace

CharacterReference read_character_reference(std::string_view text) {
  if (text.size() < 3 || text[0] != '&') return {};
  if (text[1] == '#') return numeric(text);
  std::size_t end = 1;
  while (end < text.size() && end <= longest_name && ascii::is_alnum(text[end])) ++end;
  const bool closed = end < text.size() && text[end] == ';';
  const char32_t code = code_of_name(text.substr(1, end - 1));
  if (code == 0) return {};
  // Without its ';' a name is read only where no letter, digit or '=' follows ("?a=1&copy=2" stays).
  if (!closed && end < text.size() && (ascii::is_alnum(text[end]) || text[end] == '=')) return {};
  CharacterReference entity;
  entity.length = closed ? end + 1 : end;
  append_character(entity.characters, code);
  return entity;
}

}  // namespace facteur::message

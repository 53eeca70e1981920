"""The words that the search page finds: those of English by their stems, and Chinese by its signs and pairs of signs.

Chinese has no spaces between words, so that a run of signs would be one word, which nobody types as a whole.
"""

import re

from sphinx.search.en import SearchEnglish

LANGUAGE = "en-zh"
CHINESE = "\u3400-\u9fff"
RUNS = re.compile(f"[{CHINESE}]+|[^\\W{CHINESE}]+")
SPLIT_QUERY = f"""
var splitQuery = (query) => {{
  const words = query.match(/[{CHINESE}]+|[^{CHINESE}]+/gu) || [];
  return words.flatMap((word) => {{
    if (!/[{CHINESE}]/u.test(word))
      return word.split(/[^\\p{{Letter}}\\p{{Number}}_\\p{{Emoji_Presentation}}]+/gu).filter((term) => term);
    const signs = [...word];
    return signs.length < 2 ? signs : signs.slice(1).map((sign, i) => signs[i] + sign);
  }});
}};
"""


class SearchEnglishAndChinese(SearchEnglish):
    lang = LANGUAGE
    language_name = "English and Chinese"
    js_splitter_code = SPLIT_QUERY  # what splits a query as `split` splits the pages

    def split(self, input: str) -> list[str]:
        """Return the words of a text; in the place of a run of Chinese each sign and each pair of neighbours."""
        words = []
        for run in RUNS.findall(input):
            words += signs_and_pairs(run) if re.match(f"[{CHINESE}]", run) else [run]
        return words


def signs_and_pairs(run: str) -> list[str]:
    pairs = [first + second for first, second in zip(run, run[1:])]
    return [*run, *pairs]


def setup(app) -> None:
    app.add_search_language(SearchEnglishAndChinese)
    app.connect("config-inited", use, priority=950)


def use(app, config) -> None:
    config.html_search_language = LANGUAGE

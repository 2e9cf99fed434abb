import pytest

from reprolm.errors import Exit, ReprolmError
from tests.tokenizers.settings import tokenizer_config


@pytest.mark.parametrize(("end_of_document", "least"), [(True, 257), (False, 256)])
def test_bytes_and_the_end_of_a_document_need_room(end_of_document: bool, least: int) -> None:
    tokenizer_config(vocab_size=least, end_of_document=end_of_document)
    with pytest.raises(ReprolmError, match=rf"tokenizer\.vocab_size: .*at least {least}") as error:
        tokenizer_config(vocab_size=least - 1, end_of_document=end_of_document)
    assert error.value.exit is Exit.PARAMETERS


def test_the_size_is_ignored_where_the_text_decides_it() -> None:
    assert tokenizer_config(kind="character", vocab_size=2).kind == "character"

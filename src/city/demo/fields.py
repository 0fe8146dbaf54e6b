"""The vocabulary of certificate attributes: one name, one meaning, one sensitivity, whichever kind carries it."""

from typing import Final

from city.demo.model import Field, FieldType, Sensitivity

_SENSITIVITY: Final = {"o": Sensitivity.OPEN, "p": Sensitivity.PERSONAL, "s": Sensitivity.SENSITIVE}
_TYPE: Final = {
    "text": FieldType.TEXT,
    "date": FieldType.DATE,
    "int": FieldType.INTEGER,
    "bool": FieldType.BOOLEAN,
    "code": FieldType.CODE,
}

_VOCABULARY: Final = """
name | 姓名 | Name | p text
name_latin | 姓名拼音 | Name in Latin letters | p text
sex | 性别 | Sex | p code
birth_date | 出生日期 | Date of birth | p date
ethnicity | 民族 | Ethnicity | p text
id_number | 公民身份号码 | ID number | s text
address | 住址 | Address | s text
document_number | 证件号码 | Document number | s text
issuing_authority | 签发机关 | Issuing authority | o text
first_issued | 初次领证日期 | First issued | o date
licence_class | 准驾车型 | Driving class | o code
plate_number | 号牌号码 | Plate number | s text
vehicle_type | 车辆类型 | Vehicle type | o text
vehicle_use | 使用性质 | Use | o text
registered_on | 登记日期 | Registered on | o date
household_number | 户号 | Household number | s text
household_head | 户主姓名 | Head of household | p text
relation_to_head | 与户主关系 | Relation to the head | p code
household_place | 户籍地 | Place of household registration | p text
residence_since | 居住起始日期 | Resident since | p date
no_record | 无犯罪记录 | No criminal record | o bool
checked_until | 查询截止日期 | Checked until | o date
social_security_number | 社会保障号码 | Social security number | s text
bank_name | 服务银行 | Bank | o text
work_unit | 工作单位 | Work unit | p text
occupation | 职业 | Occupation | p text
qualification | 资格名称 | Qualification | o text
qualification_level | 资格等级 | Level | o code
speciality | 专业 | Speciality | o text
practice_scope | 执业范围 | Scope of practice | o text
practice_place | 执业地点 | Place of practice | o text
retired_on | 退休日期 | Retired on | p date
pension_category | 待遇类别 | Pension category | p code
injury_grade | 伤残等级 | Injury grade | s int
points | 积分 | Points | p int
father_name | 父亲姓名 | Father's name | p text
mother_name | 母亲姓名 | Mother's name | p text
birth_hospital | 接生机构 | Place of birth | p text
birth_weight_grams | 出生体重（克） | Weight at birth (g) | s int
vaccines | 已接种疫苗 | Vaccines given | s text
doses | 接种剂次 | Doses | s int
fit_for_work | 体检合格 | Fit for the work | o bool
examined_on | 体检日期 | Examined on | o date
work_category | 从业类别 | Category of work | o text
blood_type | 血型 | Blood type | s code
donated_ml | 累计献血量（毫升） | Donated (ml) | p int
expected_date | 预产期 | Expected date of birth | s date
honour | 荣誉名称 | Honour | p text
spouse_name | 配偶姓名 | Spouse's name | p text
spouse_id_number | 配偶身份号码 | Spouse's ID number | s text
married_on | 登记日期 | Married on | p date
divorced_on | 离婚登记日期 | Divorced on | p date
family_size | 保障人数 | Persons covered | p int
monthly_allowance | 月保障金（元） | Monthly allowance (yuan) | s int
volunteer_hours | 志愿服务时长（小时） | Hours volunteered | o int
disability_category | 残疾类别 | Category of disability | s code
disability_grade | 残疾等级 | Grade of disability | s code
guardian_name | 监护人 | Guardian | p text
company_name | 名称 | Name of business | o text
credit_code | 统一社会信用代码 | Unified social credit code | o text
business_scope | 经营范围 | Scope of business | o text
business_address | 经营场所 | Place of business | o text
founded_on | 成立日期 | Founded on | o date
work_item | 作业项目 | Kind of work | o code
school_name | 学校 | School | p text
grade | 年级 | Grade | p text
student_number | 学籍号 | Pupil number | s text
stage | 学段 | Stage of schooling | o code
degree_level | 学位层次 | Degree | o code
graduated_on | 毕业日期 | Graduated on | o date
subject | 任教学科 | Subject taught | o text
test_level | 等级 | Level | o code
score | 成绩 | Score | p int
guide_language | 导游语种 | Language of guiding | o code
reader_level | 读者级别 | Reader level | o code
concession_class | 优待类别 | Class of concession | o code
free_entry | 免票 | Free entry | o bool
insured_place | 参保地 | Insured in | p text
insurance_number | 医保编号 | Insurance number | s text
insurance_type | 险种 | Type of insurance | o code
insurance_active | 正常参保 | Insurance in force | o bool
destination_place | 就医地 | Place of care | p text
illness_category | 病种 | Illness | s code
rental_place | 承租房屋 | Flat rented | s text
monthly_rent | 月租金（元） | Monthly rent (yuan) | s int
fund_account | 公积金账号 | Fund account | s text
fund_balance | 账户余额（元） | Balance (yuan) | s int
homes_owned | 名下住房套数 | Homes owned | s int
property_number | 不动产单元号 | Property unit number | s text
property_place | 坐落 | Situated at | s text
property_area | 建筑面积（平方米） | Floor area (m²) | p int
property_use | 用途 | Use | o text
shared_ownership | 共有 | Jointly owned | p bool
mortgaged | 已抵押 | Mortgaged | s bool
veteran_category | 优待对象类别 | Category of veteran | p code
served_until | 退役日期 | Served until | p date
martyr_relation | 与烈士关系 | Relation to the martyr | p code
law_firm | 执业机构 | Law firm | o text
notarised_matter | 公证事项 | Matter notarised | s text
aid_matter | 援助事项 | Matter aided | s text
tax_year | 纳税年度 | Tax year | o int
income | 收入额（元） | Income (yuan) | s int
tax_paid | 实缴税额（元） | Tax paid (yuan) | s int
pass_class | 票种 | Class of pass | o code
park_scope | 适用范围 | Where it is good | o text
passed_on | 测试日期 | Tested on | o date
pet_name | 犬名 | Dog's name | p text
pet_breed | 犬种 | Breed | o text
device_name | 辅具名称 | Aid | s text
"""


def _field(line: str) -> Field:
    name, label_zh, label_en, marks = (part.strip() for part in line.split("|"))
    sensitivity, kind = marks.split()
    return Field(
        name=name,
        label_zh=label_zh,
        label_en=label_en,
        sensitivity=_SENSITIVITY[sensitivity],
        type=_TYPE[kind],
    )


FIELDS: Final = {field.name: field for field in map(_field, _VOCABULARY.strip().splitlines())}
